// What is inside a code object: its strings and its table of lines. All bytes come from a traced process, and may be anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trc::interpreters::python {

/// The text of a str in UTF-8, from its `state` word and the bytes of its characters (perhaps fewer than it has). Characters that cannot be
/// written in UTF-8 (single surrogates) come as U+FFFD. nullopt: no string has such a state.
std::optional<std::string> decode_string(std::uint32_t state, std::string_view bytes);

/// The line of the instruction `place` code units from the start, by co_linetable (CPython's Objects/locations.md); nullopt: it has
/// none, or the table ends before.
std::optional<int> line_at(std::string_view table, int first_line, std::int64_t place);

}  // namespace trc::interpreters::python
