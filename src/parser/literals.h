// Integer and string literals: text to value, or what is wrong with it (language.md §1.1, §1.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trc::parser {

/// An integer literal. `plain` means digits only: the form that can follow a '.' in a tuple access.
struct IntegerLiteral {
  std::uint64_t value = 0;
  std::string suffix;   // lower case: "", "u", "l", "ul", "ll", "ull"; a duration has none, its value is in nanoseconds
  bool plain = false;
};

struct LiteralError {
  std::string message;
  std::string hint;
  std::size_t begin = 0, end = 0;  // where in the literal's text
};

/// `text` starts with a digit and holds letters, digits and '_'. An error leaves `literal` usable as a stand-in.
std::optional<LiteralError> read_integer(std::string_view text, IntegerLiteral& literal);

/// `text` is what stands between the quotes. Errors are all reported; the value is what could be read.
std::vector<LiteralError> read_string(std::string_view text, std::string& value);

}  // namespace trc::parser
