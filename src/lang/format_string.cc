#include "lang/format_string.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"

namespace trc::lang {

namespace {

struct ConversionRow { std::string_view text; Conversion conversion; };
/// Longer ones first: "%rx" is one conversion, not "%r" and an x.
constexpr ConversionRow kConversions[] = {
    {"rx", Conversion::BufferEscapedAll}, {"rh", Conversion::BufferHex}, {"gr", Conversion::BufferRaw}, {"r", Conversion::BufferEscaped},
    {"d", Conversion::Signed},            {"i", Conversion::Signed},     {"u", Conversion::Unsigned},   {"x", Conversion::Hex},
    {"X", Conversion::HexUpper},          {"o", Conversion::Octal},      {"c", Conversion::Char},       {"s", Conversion::String},
    {"p", Conversion::Pointer},
};

struct LengthRow { std::string_view text; std::uint8_t bits; };
constexpr LengthRow kLengths[] = {{"hh", 8}, {"h", 16}, {"ll", 64}, {"l", 64}, {"L", 64}, {"j", 64}, {"z", 64}, {"t", 64}};

/// Conversions of C that there is nothing to print with here.
constexpr std::string_view kUnsupported = "eEfFgGaAn";
/// More padding than this is a mistake, and would make one event megabytes of output.
constexpr int kMaxNumber = 65535;

/// Reads what follows a '%'.
class ConversionReader {
 public:
  explicit ConversionReader(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  /// The conversion, or nothing when there is none; then `unsupported()` may say why.
  std::optional<FormatPiece> read() {
    FormatPiece piece;
    while (read_flag(piece)) {}
    piece.width = read_number();
    if (take(".")) {
      const int digits = read_number();
      piece.precision = digits == -1 ? 0 : digits;  // as in C, a '.' alone means 0
    }
    for (const LengthRow& row : kLengths) {
      if (!take(row.text)) continue;
      piece.bits = row.bits;
      break;
    }
    for (const ConversionRow& row : kConversions) {
      if (!take(row.text)) continue;
      piece.has_conversion = true;
      piece.conversion = row.conversion;
      piece.letter = row.text.front();
      if (row.conversion == Conversion::Pointer) piece.bits = 64;
      return piece;
    }
    if (at_ < text_.size() && kUnsupported.find(text_[at_]) != std::string_view::npos) unsupported_ = text_[at_];
    return std::nullopt;
  }
  std::size_t end() const { return at_; }
  const std::string& unsupported() const { return unsupported_; }

 private:
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  bool read_flag(FormatPiece& piece) {
    static constexpr struct { char flag; bool FormatPiece::* member; } kFlags[] = {
        {'-', &FormatPiece::left}, {'+', &FormatPiece::plus}, {' ', &FormatPiece::space}, {'#', &FormatPiece::alternate}, {'0', &FormatPiece::zero}};
    for (const auto& row : kFlags) {
      if (!take({&row.flag, 1})) continue;
      piece.*row.member = true;
      return true;
    }
    return false;
  }
  /// -1: there is none, -2: '*'
  int read_number() {
    if (take("*")) return -2;
    if (at_ >= text_.size() || !is_digit(text_[at_])) return -1;
    int number = 0;
    for (; at_ < text_.size() && is_digit(text_[at_]); at_++) number = std::min(number * 10 + (text_[at_] - '0'), kMaxNumber);
    return number;
  }

  std::string_view text_;
  std::size_t at_;
  std::string unsupported_;
};

}  // namespace

std::size_t FormatString::arguments() const {
  std::size_t count = 0;
  for (const FormatPiece& piece : pieces) {
    count += (piece.has_conversion ? 1 : 0) + (piece.width == -2 ? 1 : 0) + (piece.precision == -2 ? 1 : 0);
  }
  return count;
}

FormatString parse_format(std::string_view text) {
  FormatString format;
  std::string literal;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] != '%') {
      literal += text[at++];
      continue;
    }
    if (text.substr(at).starts_with("%%")) {
      literal += '%';
      at += 2;
      continue;
    }
    ConversionReader reader(text, at + 1);
    if (std::optional<FormatPiece> piece = reader.read()) {
      piece->literal = std::exchange(literal, {});
      piece->begin = static_cast<std::uint32_t>(at);
      piece->end = static_cast<std::uint32_t>(reader.end());
      format.pieces.push_back(std::move(*piece));
      at = reader.end();
    } else {  // not a conversion: the '%' is text like any other
      if (format.unsupported.empty()) format.unsupported = reader.unsupported();
      literal += text[at++];
    }
  }
  format.pieces.emplace_back().literal = std::move(literal);
  return format;
}

}  // namespace trc::lang
