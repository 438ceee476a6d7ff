// Output for programs: one JSON object a line (output.md §9). Two dialects share the code: `json` keeps the established forms, also where they
// lose information; `jsonl` mends them.
#include <algorithm>
#include <cstring>
#include <optional>

#include "base/assert.h"
#include "base/json_writer.h"
#include "base/strings.h"
#include "output/sinks.h"
#include "output/time_format.h"
#include "output/writer.h"

namespace trc::output {
namespace {

enum class Dialect : std::uint8_t { Established, Mended };

/// Readers that keep numbers as doubles would get another number.
template <class Integer>
bool fits_double(Integer value) {
  // 2^63 and 2^64 are exactly what the largest values round up to; converting those back would overflow.
  constexpr double kEnd = std::is_signed_v<Integer> ? 9223372036854775808.0 : 18446744073709551616.0;
  const double rounded = static_cast<double>(value);
  return rounded < kEnd && static_cast<Integer>(rounded) == value;
}

template <class Integer>
void write_integer(JsonWriter& json, Integer value) {
  if (fits_double(value)) json.number(value);
  else json.string(std::to_string(value));
}

/// Writes each alternative of Value::data.
struct ValueWriter {
  JsonWriter& json;
  Dialect dialect;
  std::string_view trailer;

  void write(const Value& value) const { std::visit(*this, value.data); }

  void operator()(std::monostate) const { json.null(); }
  void operator()(bool value) const { json.boolean(value); }
  void operator()(std::int64_t value) const { write_integer(json, value); }
  void operator()(std::uint64_t value) const { write_integer(json, value); }
  void operator()(const Pointer& pointer) const { write_integer(json, pointer.address); }
  /// The established form has the number, and the name only in keys.
  void operator()(const Named& named) const {
    if (dialect == Dialect::Established) write_integer(json, static_cast<std::int64_t>(named.bits));
    else json.string(named.name);
  }
  void operator()(const Text& text) const {
    if (text.truncated) json.string(text.text + std::string(trailer));
    else json.string(text.text);
  }
  void operator()(const Bytes& bytes) const {
    json.begin_array();
    for (const char c : bytes.bytes) {
      if (dialect == Dialect::Established) json.number(static_cast<int>(static_cast<signed char>(c)));
      else json.number(static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    json.end_array();
  }
  void operator()(const Sequence& sequence) const {
    json.begin_array();
    for (const Value& element : sequence.elements) write(element);
    json.end_array();
  }
  void operator()(const Fields& fields) const {
    json.begin_object();
    for (const auto& [name, member] : fields.members) {
      json.key(name);
      write(member);
    }
    json.end_object();
  }
  void operator()(const StatsValue& stats) const {
    const auto number = [&](std::int64_t value) {
      if (stats.is_signed) write_integer(json, value);
      else write_integer(json, static_cast<std::uint64_t>(value));
    };
    json.begin_object().key("count");
    write_integer(json, stats.count);
    json.key("average");
    number(stats.average);
    json.key("total");
    number(stats.total);
    json.end_object();
  }
  void operator()(const std::shared_ptr<Histogram>& histogram) const {
    json.begin_array();
    for (const Histogram::Bucket& bucket : histogram ? histogram->buckets : std::vector<Histogram::Bucket>{}) {
      json.begin_object();
      if (bucket.min) json.key("min").number(*bucket.min);
      if (bucket.max) json.key("max").number(*bucket.max);
      json.key("count").number(bucket.count / histogram->divisor).end_object();
    }
    json.end_array();
  }
  void operator()(const std::shared_ptr<TimeSeries>& series) const {
    json.begin_array();
    for (const TimeSeries::Row& row : series ? series->rows : std::vector<TimeSeries::Row>{}) {
      // In the established form points have no blanks, unlike all other objects.
      std::string point;
      JsonWriter inner(point, dialect == Dialect::Established ? JsonWriter::Blanks::None : JsonWriter::Blanks::Between);
      inner.begin_object().key("interval_start").string(format_time("%Y-%m-%d %H:%M:%S.%k", row.start_ns)).key("value");
      if (!row.bits) inner.null();
      else if (series->is_signed) write_integer(inner, static_cast<std::int64_t>(*row.bits));
      else write_integer(inner, *row.bits);
      inner.end_object();
      json.raw(point);
    }
    json.end_array();
  }
};

/// "FILE:L:C-E" or "FILE:L1-L2", as source/render.cc writes positions, taken apart again.
struct Place {
  std::string file;
  std::uint64_t line = 0, column = 0;
};

Place parse_position(const std::string& position) {
  std::vector<std::string> parts = split(position, ':');
  const auto number = [](std::string_view text) { return parse_unsigned(text.substr(0, text.find('-'))); };
  Place place;
  const auto last = number(parts.back());
  if (parts.size() < 2 || !last) {
    place.file = position;
    return place;
  }
  parts.pop_back();
  const auto before = parts.size() > 1 ? number(parts.back()) : std::nullopt;
  place.line = before ? *before : *last;
  place.column = before ? *last : 1;
  if (before) parts.pop_back();
  place.file = join(parts, ":");
  return place;
}

class JsonSink final : public Sink {
 public:
  JsonSink(const SinkOptions& options, Dialect dialect)
      : writer_(options.fd, options.buffering), dialect_(dialect), trailer_(options.trailer) {}

  void attached(std::size_t probes) override {
    line("attached_probes", [&](JsonWriter& json) {
      json.key("count").number(probes).key("data").begin_object().key("probes").number(probes).end_object();
    });
  }
  void text(std::string_view formatted) override { text_line("printf", formatted); }
  void time(std::string_view formatted) override { text_line("time", formatted); }
  void join(std::string_view joined) override { text_line("join", joined); }
  void cat(std::string_view content) override { text_line("cat", content); }
  void system(std::string_view output) override { text_line("syscall", output); }

  void said(const Origin& at, Severity severity, std::string_view what) override {
    const Place place = parse_position(at.position);
    line(severity == Severity::Error ? "errorf" : "warnf", [&](JsonWriter& json) {
      json.key("msg").string(what).key("filename").string(place.file).key("line").number(place.line).key("col").number(place.column);
    });
  }

  void value(const Value& value) override {
    line("value", [&](JsonWriter& json) { write(json.key("data"), value); });
  }

  void map(const MapDump& map) override {
    if (map.entries.empty()) return;
    line(type_of(map.value_kind), [&](JsonWriter& json) {
      json.key("data").begin_object().key(map.name);
      if (!map.has_key) write(json, map.entries.front().second);
      else if (dialect_ == Dialect::Established) write_entries_by_text(json, map);
      else write_entries(json, map);
      json.end_object();
    });
  }

  void map_value(std::string_view name, const Value& value) override {
    line(type_of(value.kind), [&](JsonWriter& json) {
      write(json.key("data").begin_object().key(name), value);
      json.end_object();
    });
  }

  void lost(std::uint64_t events) override {
    line("lost_events", [&](JsonWriter& json) {
      json.key("count").number(events).key("data").begin_object().key("events").number(events).end_object();
    });
  }

  void truncated_stacks(const TruncatedStacks& truncated) override {
    line("truncated_stacks", [&](JsonWriter& json) {
      json.key("data").begin_object().key("probe").string(truncated.probe).key("stacks").number(truncated.stacks).key("reasons").begin_object();
      for (const auto& [reason, count] : truncated.reasons) json.key(reason).number(count);
      json.end_object().end_object();
    });
  }

  void error(const Origin& at, std::string_view what, std::string_view helper, std::int64_t code) override {
    const Place place = parse_position(at.position);
    line(helper.empty() ? "runtime_error" : "helper_error", [&](JsonWriter& json) {
      // The established form has the kernel's words here, not ours.
      const bool kernel_words = !helper.empty() && code < 0 && dialect_ == Dialect::Established;
      json.key("msg").string(kernel_words ? std::strerror(static_cast<int>(-code)) : what);
      if (!helper.empty()) json.key("helper").string(helper).key("retcode").number(code);
      json.key("filename").string(place.file).key("line").number(place.line).key("col").number(place.column);
    });
  }

  void test_end(const TestResult& result) override {
    line("test_result", [&](JsonWriter& json) {
      json.key("data").begin_object().key(result.name).begin_object();
      json.key("duration").number(result.ns).key("passed").boolean(result.passed).key("output").string(result.passed ? "" : result.output);
      json.end_object().end_object();
    });
  }

  void benchmarks(const std::vector<BenchmarkResult>& results) override {
    for (const BenchmarkResult& result : results) {
      line("benchmark_result", [&](JsonWriter& json) {
        json.key("data").begin_object().key(result.name).begin_object();
        json.key("average").number(result.average_ns).key("iters").number(result.iterations).end_object().end_object();
      });
    }
  }

  void end_of_run() override {}
  void flush() override { writer_.flush(); }
  bool failed() const override { return writer_.failed(); }
  Result<> finish() override { return writer_.finish(); }

 private:
  template <class Members>
  void line(std::string_view type, const Members& write_members) {
    JsonWriter json(writer_.buffer());
    json.begin_object().key("type").string(type);
    if (dialect_ == Dialect::Mended) json.key("version").number(2);
    write_members(json);
    json.end_object();
    writer_.buffer() += '\n';
    writer_.commit();
  }

  void text_line(std::string_view type, std::string_view text) {
    line(type, [&](JsonWriter& json) { json.key("data").string(text); });
  }

  void write(JsonWriter& json, const Value& value) const { ValueWriter{json, dialect_, trailer_}.write(value); }

  /// Keys as their text without any space. Different keys can become the same text; readers know it so.
  void write_entries_by_text(JsonWriter& json, const MapDump& map) const {
    json.begin_object();
    for (const auto& [key, value] : map.entries) {
      std::string text = key_to_text(key, trailer_);
      std::erase(text, ' ');
      write(json.key(text), value);
    }
    json.end_object();
  }

  /// Keys as arrays of their parts.
  void write_entries(JsonWriter& json, const MapDump& map) const {
    json.begin_array();
    for (const auto& [key, value] : map.entries) {
      json.begin_object().key("key");
      const bool parts = key.kind == lang::TypeKind::Tuple;
      if (!parts) json.begin_array();
      write(json, key);
      if (!parts) json.end_array();
      write(json.key("value"), value);
      json.end_object();
    }
    json.end_array();
  }

  std::string_view type_of(lang::TypeKind kind) const;

  Writer writer_;
  Dialect dialect_;
  std::string trailer_;
};

std::string_view JsonSink::type_of(lang::TypeKind kind) const {
  using lang::TypeKind;
  switch (kind) {
    case TypeKind::Histogram:
    case TypeKind::LinearHistogram: return "hist";
    case TypeKind::TimeSeries: return "tseries";
    case TypeKind::Avg: return dialect_ == Dialect::Established ? "stats" : "avg";
    case TypeKind::Stats: return "stats";
    case TypeKind::None:
    case TypeKind::Void:
    case TypeKind::Bool:
    case TypeKind::Integer:
    case TypeKind::Pointer:
    case TypeKind::String:
    case TypeKind::Buffer:
    case TypeKind::Array:
    case TypeKind::Struct:
    case TypeKind::Tuple:
    case TypeKind::Record:
    case TypeKind::Timestamp:
    case TypeKind::KernelStack:
    case TypeKind::UserStack:
    case TypeKind::KernelSymbol:
    case TypeKind::UserSymbol:
    case TypeKind::ProbeName:
    case TypeKind::Username:
    case TypeKind::MacAddress:
    case TypeKind::Inet:
    case TypeKind::CgroupPath:
    case TypeKind::Count:
    case TypeKind::Sum:
    case TypeKind::Min:
    case TypeKind::Max: return "map";
  }
  TRC_UNREACHABLE("type kind");
}

}  // namespace

std::unique_ptr<Sink> make_json_sink(const SinkOptions& options) { return std::make_unique<JsonSink>(options, Dialect::Established); }
std::unique_ptr<Sink> make_jsonl_sink(const SinkOptions& options) { return std::make_unique<JsonSink>(options, Dialect::Mended); }

}  // namespace trc::output
