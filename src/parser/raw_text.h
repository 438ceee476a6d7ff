// The parts of a script that are read as text, not as tokens: attach points and C definitions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trc::parser {

struct AttachText {
  std::size_t end = 0;      // offset behind it
  std::string text;         // positional parameters already replaced
  struct Use { std::size_t begin, end; std::uint64_t number; };
  std::vector<Use> missing;          // positional parameters without a value, and $0
  bool unterminated_quote = false;
};

/// The attach point at `at` (language.md §5; where a '<' ends it: §4).
AttachText read_attach_point(std::string_view text, std::size_t at, const std::vector<std::string>& positionals);

/// The end of the directive at `at` ('#'): the end of the line, a backslash carries on.
std::size_t skip_c_directive(std::string_view text, std::size_t at);
/// The end of the struct, union or enum definition at `at`, its attributes and ';' included. npos: it is not terminated.
std::size_t skip_c_aggregate(std::string_view text, std::size_t at);
/// Behind the ';' that ends the declaration at `at` (typedef …), or npos.
std::size_t skip_c_declaration(std::string_view text, std::size_t at);

}  // namespace trc::parser
