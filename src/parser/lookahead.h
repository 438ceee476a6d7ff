// Questions about the text that follows, which one token of look-ahead cannot answer. Pure functions on the script's text;
// offsets are bytes from its start.
#pragma once

#include <cstddef>
#include <string_view>

namespace trc::parser {

/// Behind white space and comments. An unterminated comment reaches to the end.
std::size_t skip_layout(std::string_view text, std::size_t at);
/// Behind the identifier at `at`; `at` itself if there is none.
std::size_t skip_word(std::string_view text, std::size_t at);

/// Is `name` a value that can never be a type? Then `(name) - 1` is a subtraction, not a cast (language.md §2).
bool names_a_value(std::string_view name);

/// Does the '(' before `at` start a cast: a type, ')' and the start of an operand? `in_condition`: a '{' behind it would be the body of
/// the if, while, for or unroll that is being read.
bool starts_cast(std::string_view text, std::size_t at, bool in_condition);
/// Does a type fill the argument that starts at `at`, up to `closer` (')' or ',')? For sizeof and its like.
bool is_type_argument(std::string_view text, std::size_t at, char closer);

/// What stands behind a '>' that is about to close an angle block: an operand, as if a comparison had been meant (true), or the next
/// top-level item, the end of the script, or something else (false)?
bool continues_expression(std::string_view text, std::size_t at);
/// Does nothing, or what is surely a top-level item, stand at `at`? Between this and continues_expression lies doubt.
bool starts_item(std::string_view text, std::size_t at);

}  // namespace trc::parser
