#include "parser/literals.h"

#include <fmt/format.h>

#include <iterator>

#include "base/strings.h"

namespace trc::parser {

namespace {

struct Unit { std::string_view name; std::uint64_t factor; };
constexpr Unit kDurations[] = {
    {"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000},
    {"h", 3'600'000'000'000}, {"d", 86'400'000'000'000},
};
/// Largest value of each suffix.
struct Suffix { std::string_view name; std::uint64_t max; };
constexpr std::uint64_t kMax64 = ~std::uint64_t{0};
constexpr Suffix kSuffixes[] = {{"", kMax64}, {"u", 0xffffffff}, {"l", kMax64}, {"ul", kMax64}, {"ll", kMax64}, {"ull", kMax64}};

template <class Row, std::size_t N>
const Row* find_row(const Row (&rows)[N], std::string_view name) {
  for (const Row& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

LiteralError whole(std::string_view text, std::string message, std::string hint = {}) {
  return {std::move(message), std::move(hint), 0, text.size()};
}

LiteralError too_large(std::string_view text, std::uint64_t max) {
  return whole(text, fmt::format("integer '{}' is too large, the largest is {}", text, max));
}

bool is_digit_of(char c, unsigned base) {
  const int digit = hex_digit(c);
  return digit >= 0 && static_cast<unsigned>(digit) < base;
}

/// The digits (and '_') at the start of `text`. False when the number exceeds 64 bits.
bool read_digits(std::string_view text, unsigned base, std::size_t& length, std::uint64_t& value) {
  bool fits = true;
  for (length = 0; length < text.size() && (is_digit_of(text[length], base) || text[length] == '_'); length++) {
    if (text[length] == '_') continue;
    fits = fits && !__builtin_mul_overflow(value, base, &value) &&
           !__builtin_add_overflow(value, static_cast<std::uint64_t>(hex_digit(text[length])), &value);
  }
  return fits;
}

/// 2e6: one digit, 'e', an exponent that starts with 1 to 9.
std::optional<LiteralError> read_scientific(std::string_view text, IntegerLiteral& literal) {
  std::uint64_t exponent = 0;
  std::size_t length = 0;
  const std::string_view tail = text.substr(2);
  const bool fits = read_digits(tail, 10, length, exponent);
  if (length != tail.size() || tail.front() == '0' || tail.front() == '_' || tail.back() == '_' || text[0] == '0') {
    return whole(text, fmt::format("'{}' is not a number", text), "the form is one digit, 'e' and an exponent from 1, as in 2e6");
  }
  literal.value = static_cast<std::uint64_t>(text[0] - '0');
  for (std::uint64_t i = 0; i < exponent; i++) {
    if (!fits || __builtin_mul_overflow(literal.value, std::uint64_t{10}, &literal.value)) {
      literal.value = kMax64;
      return too_large(text, kMax64);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<LiteralError> read_integer(std::string_view text, IntegerLiteral& literal) {
  if (text.size() > 2 && text[1] == 'e') return read_scientific(text, literal);

  unsigned base = 10;
  std::size_t prefix = 0;
  if (text.size() > 1 && text[0] == '0') {
    if (text[1] == 'x' || text[1] == 'X') base = 16, prefix = 2;
    else if (text[1] == 'b' || text[1] == 'B') base = 2, prefix = 2;
    else if (is_digit(text[1]) || text[1] == '_') base = 8, prefix = 1;
  }
  const std::string_view body = text.substr(prefix);
  std::size_t length = 0;
  const bool fits = read_digits(body, base, length, literal.value);
  const std::string_view digits = body.substr(0, length);
  const std::string suffix = to_lower(body.substr(length));
  literal.plain = prefix == 0 && length == text.size() && digits.find('_') == std::string_view::npos;

  if (base == 8 && !suffix.empty() && is_digit(suffix.front())) {
    return whole(text, fmt::format("'{}' is not an octal number", text), "a leading 0 means octal; leave it out for decimal");
  }
  if (digits.empty()) return whole(text, fmt::format("'{}' is not a number: digits are missing after '{}'", text, text.substr(0, prefix)));
  if ((prefix != 1 && digits.front() == '_') || digits.back() == '_') {
    return whole(text, fmt::format("'{}' is not a number: '_' may only stand between digits", text));
  }
  if (const Unit* unit = base == 16 ? nullptr : find_row(kDurations, suffix); unit != nullptr && suffix == body.substr(length)) {
    if (!fits || __builtin_mul_overflow(literal.value, unit->factor, &literal.value)) return too_large(text, kMax64);
    return std::nullopt;
  }
  const Suffix* known = find_row(kSuffixes, suffix);
  if (known == nullptr) {
    LiteralError error{fmt::format("'{}' is not a number: unknown suffix '{}'", text, body.substr(length)),
                       "suffixes are u, l, ul, ll, ull and the durations ns, us, ms, s, m, h, d", prefix + length, text.size()};
    return error;
  }
  literal.suffix = suffix;
  if (!fits || literal.value > known->max) return too_large(text, known->max);
  return std::nullopt;
}

namespace {

/// Octal \N to \NNN or hexadecimal \xH, \xHH behind the backslash at `at`; how many characters it has, 0 if it is neither.
std::size_t read_numeric_escape(std::string_view text, std::size_t at, unsigned& byte) {
  const bool hex = text[at] == 'x';
  const std::size_t first = at + (hex ? 1 : 0), most = hex ? 2 : 3;
  std::size_t digits = 0;
  byte = 0;
  while (digits < most && first + digits < text.size() && is_digit_of(text[first + digits], hex ? 16 : 8)) {
    byte = byte * (hex ? 16 : 8) + static_cast<unsigned>(hex_digit(text[first + digits]));
    digits++;
  }
  return digits == 0 ? 0 : digits + (hex ? 1 : 0);
}

constexpr struct { char letter, value; } kEscapes[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'"', '"'}, {'\\', '\\'}};

}  // namespace

std::vector<LiteralError> read_string(std::string_view text, std::string& value) {
  std::vector<LiteralError> errors;
  for (std::size_t at = 0; at < text.size(); at++) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      value += text[at];
      continue;
    }
    const char letter = text[at + 1];
    const auto* escape = std::begin(kEscapes);
    while (escape != std::end(kEscapes) && escape->letter != letter) escape++;
    unsigned byte = 0;
    if (escape != std::end(kEscapes)) {
      value += escape->value;
      at++;
    } else if (const std::size_t length = read_numeric_escape(text, at + 1, byte); length > 0) {
      if (byte > 0xff) errors.push_back({"octal escape is larger than a byte (\\377)", "", at, at + 1 + length});
      value += static_cast<char>(byte);
      at += length;
    } else {
      const bool shows = letter > ' ' && letter < 0x7f;
      errors.push_back({shows ? fmt::format("unknown escape '\\{}' in a string", letter) : "unknown escape in a string",
                        "escapes are \\n \\t \\r \\\" \\\\, octal \\N to \\NNN and hexadecimal \\xHH; a backslash itself is \\\\",
                        at, at + 2});
      value += letter;
      at++;
    }
  }
  return errors;
}

}  // namespace trc::parser
