// Closing a perf event of a tracepoint or uprobe makes the caller wait 75 to 400 ms, for each, even at exit. A child process that
// inherits the descriptors takes the wait over, so that trc is gone at once.
#pragma once

#include <cstdint>
#include <span>

namespace trc::runtime {

/// Forks a process that keeps `descriptors` open until this process is gone, and then goes too. It holds nothing else: no terminal, no
/// pipe, no directory. Returns false if it could not be started; the caller then waits itself.
bool leave_to_reaper(std::span<const int> descriptors);

/// Forks a process that holds nothing of ours but `descriptors`, waits until this process is gone, however that comes, and calls
/// `afterwards` (async-signal-safe calls only; may be none) before it goes too. `name` is shown by ps. Its pid, or -1.
std::int32_t start_survivor(const char* name, std::span<const int> descriptors, void (*afterwards)(const void* context), const void* context);

}  // namespace trc::runtime
