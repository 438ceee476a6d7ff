// How a stack is printed (output.md §5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lang/type.h"
#include "runtime/decode.h"

namespace trc::runtime {

/// A number in hexadecimal digits, after `prefix`.
std::string hexadecimal(std::uint64_t number, const char* prefix);

/// A stack's text: a newline, a line for each frame, innermost first, and one that says why if it does not end where stacks end; empty for
/// an empty stack. `pid` says whose a user stack is: what it had mapped when the stack was taken names the frames.
std::string stack_text(const lang::Type& type, const Stack& stack, std::uint32_t pid, const DecodeContext& context);

/// Does a kernel stack that has as many frames as the kernel gives end where kernel stacks do? Where a system call enters the kernel, where a thread of it
/// begins, where a processor does. An interrupt's entry is none: it may have interrupted the kernel itself.
bool is_kernel_root(std::string_view symbol);

/// "limit of frames reached" …; empty for a stack that is whole or was cut where the script said.
std::string_view why_truncated(std::uint16_t end);

}  // namespace trc::runtime
