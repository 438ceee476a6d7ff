// The wildcard of the language: `*` matches any run of characters, everything else itself. No `?`, no `[…]`, no escapes.
#pragma once

#include <string_view>

namespace trc {

inline bool has_glob(std::string_view pattern) { return pattern.find('*') != std::string_view::npos; }
/// Does the whole of `text` match? Time is at most pattern × text, without recursion.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace trc
