// Where the members of CPython's structures lie, by version.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "stdlib/python_abi.h"

namespace trc::interpreters::python {

/// PY_VERSION_HEX: 0x030b07f0 is 3.11.7 final.
std::string version_name(std::uint32_t version);

/// The bytes that begin the debug offsets which 3.13 and later put at the start of _PyRuntime.
inline constexpr std::uint64_t kDebugCookie = 0x7970677562656478;   // "xdebugpy"
inline constexpr std::size_t kDebugWords = 64;                      // more than is looked at

/// The layout of a version. `debug_words`: the first u64 words of _PyRuntime, for 3.13 and later (empty or others before). Errors: a version
/// that trc does not know, or published offsets that make no sense.
Result<trc_py_layout> layout_of(std::uint32_t version, std::span<const std::uint64_t> debug_words);

}  // namespace trc::interpreters::python
