#include "output/printf.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "base/assert.h"

namespace trc::output {
namespace {

using lang::Conversion;
using lang::FormatPiece;

/// Widths beyond this are taken as this: a width from an argument must not make us allocate gigabytes.
constexpr int kMaxWidth = 64 * 1024;

/// A conversion with its stars resolved.
struct Spec {
  const FormatPiece& piece;
  bool left;
  int width;       ///< 0: none
  int precision;   ///< -1: none
  bool zeros_first = false;   ///< zeros that fill stand in front of the sign: PrintfStyle::compat
};

/// The value as 64 bits; what is no number counts as 0.
std::uint64_t integer_bits(const Value& value) {
  if (const auto* s = std::get_if<std::int64_t>(&value.data)) return static_cast<std::uint64_t>(*s);
  if (const auto* u = std::get_if<std::uint64_t>(&value.data)) return *u;
  if (const auto* b = std::get_if<bool>(&value.data)) return *b ? 1 : 0;
  if (const auto* n = std::get_if<Named>(&value.data)) return n->bits;
  if (const auto* p = std::get_if<Pointer>(&value.data)) return p->address;
  return 0;
}

void pad(std::string& out, const Spec& spec, std::string_view text) {
  const std::size_t fill = static_cast<std::size_t>(spec.width) > text.size() ? static_cast<std::size_t>(spec.width) - text.size() : 0;
  if (!spec.left) out.append(fill, ' ');
  out += text;
  if (spec.left) out.append(fill, ' ');
}

/// Pads what was appended to `out` since `start`: for texts that are written straight into the buffer.
void pad_from(std::string& out, const Spec& spec, std::size_t start) {
  const std::size_t length = out.size() - start;
  if (static_cast<std::size_t>(spec.width) <= length) return;
  const std::size_t fill = static_cast<std::size_t>(spec.width) - length;
  if (spec.left) out.append(fill, ' ');
  else out.insert(start, fill, ' ');
}

/// Digits of one integer conversion: sign or prefix, then digits, to be put together with zeros and spaces.
void append_number(std::string& out, const Spec& spec, std::string_view prefix, std::string_view digits) {
  std::size_t zeros = 0;
  if (spec.precision >= 0) {
    zeros = static_cast<std::size_t>(spec.precision) > digits.size() ? static_cast<std::size_t>(spec.precision) - digits.size() : 0;
  }
  const std::size_t length = prefix.size() + zeros + digits.size();
  const std::size_t fill = static_cast<std::size_t>(spec.width) > length ? static_cast<std::size_t>(spec.width) - length : 0;
  const bool zero_fill = spec.piece.zero && !spec.left && spec.precision < 0;
  if (!spec.left && !zero_fill) out.append(fill, ' ');
  if (zero_fill && spec.zeros_first) out.append(fill, '0');
  out += prefix;
  out.append(!zero_fill ? zeros : spec.zeros_first ? 0 : fill, '0');
  out += digits;
  if (spec.left) out.append(fill, ' ');
}

struct Digits {
  std::array<char, 24> text;
  std::size_t size = 0;
  Digits(std::uint64_t value, int base, int precision) {
    // C: zero with precision zero has no digits at all.
    if (value == 0 && precision == 0) return;
    size = static_cast<std::size_t>(std::to_chars(text.data(), text.data() + text.size(), value, base).ptr - text.data());
  }
  std::string_view view() const { return {text.data(), size}; }
};

void append_signed(std::string& out, const Spec& spec, std::uint64_t bits) {
  const unsigned drop = 64U - spec.piece.bits;
  const auto value = static_cast<std::int64_t>(bits << drop) >> drop;
  const std::uint64_t magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  const std::string_view sign = value < 0 ? "-" : spec.piece.plus ? "+" : spec.piece.space ? " " : "";
  append_number(out, spec, sign, Digits(magnitude, 10, spec.precision).view());
}

void append_unsigned(std::string& out, const Spec& spec, std::uint64_t bits) {
  const unsigned drop = 64U - spec.piece.bits;
  const std::uint64_t value = bits << drop >> drop;
  const bool hex = spec.piece.conversion == Conversion::Hex || spec.piece.conversion == Conversion::HexUpper;
  const bool octal = spec.piece.conversion == Conversion::Octal;
  Digits digits(value, hex ? 16 : octal ? 8 : 10, spec.precision);
  if (spec.piece.conversion == Conversion::HexUpper) {
    for (std::size_t i = 0; i < digits.size; i++) {
      if (digits.text[i] >= 'a') digits.text[i] = static_cast<char>(digits.text[i] - 'a' + 'A');
    }
  }
  std::string_view prefix;
  if (spec.piece.alternate && hex && value != 0) prefix = spec.piece.conversion == Conversion::Hex ? "0x" : "0X";
  // C: '#' makes an octal number start with a zero, unless the precision does so already.
  const bool starts_with_zero = digits.size > 0 && digits.text[0] == '0';
  if (spec.piece.alternate && octal && !starts_with_zero && spec.precision <= static_cast<int>(digits.size)) {
    Spec widened = spec;
    if (spec.precision >= 0) widened.precision = static_cast<int>(digits.size) + 1;
    else prefix = "0";
    append_number(out, widened, prefix, digits.view());
    return;
  }
  append_number(out, spec, prefix, digits.view());
}

void append_pointer(std::string& out, const Spec& spec, std::uint64_t bits) {
  append_number(out, spec, bits == 0 ? "" : "0x", Digits(bits, 16, -1).view());
}

void append_string(std::string& out, const Spec& spec, const Value& value, const PrintfStyle& style) {
  const std::size_t start = out.size();
  if (style.harmless) append_harmless(out, to_text(value, style.trailer));
  else append_text(out, value, style.trailer);
  if (spec.precision >= 0 && out.size() - start > static_cast<std::size_t>(spec.precision)) {
    out.resize(start + static_cast<std::size_t>(spec.precision));
  }
  pad_from(out, spec, start);
}

std::string_view raw_bytes(const Value& value) {
  if (const auto* bytes = std::get_if<Bytes>(&value.data)) return bytes->bytes;
  if (const auto* text = std::get_if<Text>(&value.data)) return text->text;
  return {};
}

/// Every byte as two hexadecimal digits, each after `before`, with `between` in the middle.
void append_hex_bytes(std::string& out, std::string_view bytes, std::string_view before, std::string_view between) {
  static constexpr char kHex[] = "0123456789abcdef";
  bool first = true;
  for (const char c : bytes) {
    if (!first) out += between;
    first = false;
    out += before;
    out += kHex[(c >> 4) & 15];
    out += kHex[c & 15];
  }
}

void append_conversion(std::string& out, const Spec& spec, const Value& value, const PrintfStyle& style) {
  const std::size_t start = out.size();
  switch (spec.piece.conversion) {
    case Conversion::Signed: return append_signed(out, spec, integer_bits(value));
    case Conversion::Unsigned:
    case Conversion::Hex:
    case Conversion::HexUpper:
    case Conversion::Octal: return append_unsigned(out, spec, integer_bits(value));
    case Conversion::Pointer: return append_pointer(out, spec, integer_bits(value));
    case Conversion::Char: {
      const char c = static_cast<char>(integer_bits(value));
      return pad(out, spec, {&c, 1});
    }
    case Conversion::String: return append_string(out, spec, value, style);
    case Conversion::BufferEscaped: append_text(out, value, style.trailer); return pad_from(out, spec, start);
    case Conversion::BufferEscapedAll: append_hex_bytes(out, raw_bytes(value), "\\x", ""); return pad_from(out, spec, start);
    case Conversion::BufferHex: append_hex_bytes(out, raw_bytes(value), "", " "); return pad_from(out, spec, start);
    case Conversion::BufferRaw: return pad(out, spec, raw_bytes(value));
  }
  TRC_UNREACHABLE("printf conversion");
}

/// Hands out the arguments in order; past their end a value that prints as nothing.
class Arguments {
 public:
  explicit Arguments(const std::vector<Value>& values) : values_(values) {}
  const Value& next() {
    static const Value kMissing{lang::TypeKind::String, Text{}};
    return next_ < values_.size() ? values_[next_++] : kMissing;
  }
  /// A '*': C takes an int.
  int next_star() { return static_cast<int>(static_cast<std::uint32_t>(integer_bits(next()))); }

 private:
  const std::vector<Value>& values_;
  std::size_t next_ = 0;
};

Spec resolve(const FormatPiece& piece, Arguments& arguments, bool compat) {
  Spec spec{piece, piece.left, std::max(piece.width, 0), std::max(piece.precision, -1)};
  if (piece.width == -2) {
    const std::int64_t width = arguments.next_star();
    if (width < 0) spec.left = true;
    spec.width = static_cast<int>(std::min<std::int64_t>(width < 0 ? -width : width, kMaxWidth));
  }
  if (piece.precision == -2) spec.precision = std::max(arguments.next_star(), -1);
  spec.width = std::min(spec.width, kMaxWidth);
  spec.precision = std::min(spec.precision, kMaxWidth);
  if (compat) {
    spec.precision = -1;
    spec.zeros_first = true;
  }
  return spec;
}

}  // namespace

void append_printf(std::string& out, const lang::FormatString& format, const std::vector<Value>& arguments, const PrintfStyle& style) {
  Arguments rest(arguments);
  for (const FormatPiece& piece : format.pieces) {
    out += piece.literal;
    if (!piece.has_conversion) continue;
    const Spec spec = resolve(piece, rest, style.compat);
    append_conversion(out, spec, rest.next(), style);
  }
}

std::string format_printf(const lang::FormatString& format, const std::vector<Value>& arguments, const PrintfStyle& style) {
  std::string out;
  append_printf(out, format, arguments, style);
  return out;
}

}  // namespace trc::output
