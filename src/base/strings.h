// Small helpers on text that the standard library lacks. ASCII only: identifiers, options and paths, never locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trc {

inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_identifier_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_identifier_char(char c) { return is_identifier_start(c) || is_digit(c); }
/// The value of a hexadecimal digit, -1 if it is none.
int hex_digit(char c);

std::string to_lower(std::string_view text);
/// Without the white space at both ends.
std::string_view trim(std::string_view text);
/// Splits at every `separator`; "a,,b" has three parts, "" has one (empty) part.
std::vector<std::string> split(std::string_view text, char separator);
/// Splits at runs of white space; no empty parts.
std::vector<std::string> split_words(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// Every occurrence of `from` (not empty) becomes `to`.
std::string replace_all(std::string text, std::string_view from, std::string_view to);

/// The whole text as an unsigned integer: decimal, 0x…, 0b… or 0… octal. Empty when it is not one or exceeds 64 bits.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);

/// 1444 as "1,444".
std::string with_thousands(std::uint64_t number);

/// The text with every invalid UTF-8 byte replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);
/// How many bytes the valid UTF-8 sequence at the start of `text` has (1 to 4), 0 if there is none. For "not UTF-8 here" loops.
std::size_t utf8_sequence_length(std::string_view text);

}  // namespace trc
