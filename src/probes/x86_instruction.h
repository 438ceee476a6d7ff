// How long an x86-64 instruction is: enough to know where the next one begins.
#pragma once

#include <cstddef>
#include <string_view>

namespace trc::probes {

/// Bytes of the instruction that `code` starts with (at most 15 are looked at). 0: none that 64-bit mode knows, one of an extension that this
/// decoder does not know, or the code ends inside it.
std::size_t x86_instruction_length(std::string_view code);

}  // namespace trc::probes
