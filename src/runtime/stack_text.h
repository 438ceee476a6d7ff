// How a stack is printed (output.md §5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lang/type.h"
#include "runtime/decode.h"
#include "symbols/timed_ranges.h"

namespace trc::runtime {

/// A number in hexadecimal digits, after `prefix`.
std::string hexadecimal(std::uint64_t number, const char* prefix);

/// A stack's text: a newline, then a line for each frame, innermost first; empty for an empty stack. For user stacks `pid` and `time` say
/// whose it is and when it was taken (CLOCK_MONOTONIC, ns): what was mapped then names the frames.
std::string stack_text(const lang::Type& type, const std::vector<std::uint64_t>& frames, std::uint32_t pid, const DecodeContext& context,
                       std::uint64_t time = symbols::kNow);

}  // namespace trc::runtime
