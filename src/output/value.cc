#include "output/value.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/strings.h"
#include "output/histogram.h"
#include "output/time_series.h"

namespace trc::output {
namespace {

template <class Integer>
void append_integer(std::string& out, Integer value, int base = 10) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  out.append(digits.data(), end);
}

/// Printable ASCII as it is, other bytes as \xNN.
void append_escaped(std::string& out, std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : bytes) {
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[(c >> 4) & 15];
      out += kHex[c & 15];
    }
  }
}

/// Writes each alternative of Value::data.
struct TextWriter {
  std::string& out;
  lang::TypeKind kind;
  std::string_view trailer;

  void operator()(std::monostate) { out += "null"; }
  void operator()(bool value) { out += value ? "true" : "false"; }
  void operator()(std::int64_t value) { append_integer(out, value); }
  void operator()(std::uint64_t value) { append_integer(out, value); }
  void operator()(const Pointer& pointer) {
    out += "0x";
    append_integer(out, pointer.address, 16);
  }
  void operator()(const Named& named) { out += named.name; }
  void operator()(const Text& text) {
    out += text.text;
    if (text.truncated) out += trailer;
  }
  void operator()(const Bytes& bytes) { append_escaped(out, bytes.bytes); }
  void operator()(const Sequence& sequence) {
    const bool array = kind == lang::TypeKind::Array;
    out += array ? '[' : '(';
    bool first = true;
    for (const Value& element : sequence.elements) {
      if (!first) out += array ? "," : ", ";
      first = false;
      append_text(out, element, trailer);
    }
    out += array ? ']' : ')';
  }
  void operator()(const Fields& fields) {
    if (fields.members.empty()) {
      out += "{}";
      return;
    }
    const char* separator = "{ .";
    for (const auto& [name, member] : fields.members) {
      out += separator;
      out += name;
      out += " = ";
      append_text(out, member, trailer);
      separator = ", .";
    }
    out += " }";
  }
  void operator()(const StatsValue& stats) {
    const auto append_number = [&](std::int64_t number) {
      if (stats.is_signed) append_integer(out, number);
      else append_integer(out, static_cast<std::uint64_t>(number));
    };
    out += "{ .count = ";
    append_integer(out, stats.count);
    out += ", .average = ";
    append_number(stats.average);
    out += ", .total = ";
    append_number(stats.total);
    out += " }";
  }
  void operator()(const std::shared_ptr<Histogram>& histogram) {
    if (histogram) append_rows(out, *histogram);
  }
  void operator()(const std::shared_ptr<TimeSeries>& series) {
    if (series) append_plot(out, *series);
  }
};

}  // namespace

void append_text(std::string& out, const Value& value, std::string_view trailer) {
  std::visit(TextWriter{out, value.kind, trailer}, value.data);
}

std::string to_text(const Value& value, std::string_view trailer) {
  std::string out;
  append_text(out, value, trailer);
  return out;
}

void append_harmless(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7f;
    const bool c1 = length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    const std::size_t taken = std::max<std::size_t>(length, 1);
    if (length == 0 || control || c1) {
      for (const char c : text.substr(0, taken)) {
        out += "\\x";
        out += kHex[(c >> 4) & 15];
        out += kHex[c & 15];
      }
    } else {
      out += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
}

std::string key_to_text(const Value& value, std::string_view trailer) {
  std::string text = to_text(value, trailer);
  if (text.size() >= 2 && text.front() == '(' && text.back() == ')') return text.substr(1, text.size() - 2);
  return text;
}

}  // namespace trc::output
