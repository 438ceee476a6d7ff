// Numbers of the kernel's BPF interface that the oldest supported <linux/bpf.h> does not know yet.
#pragma once

#include <cstdint>

namespace trc::kernel::abi {

inline constexpr int kTraceUprobeMulti = 48;              ///< BPF_TRACE_UPROBE_MULTI (6.6)
inline constexpr std::uint32_t kUprobeMultiReturn = 1;    ///< BPF_F_UPROBE_MULTI_RETURN
inline constexpr int kErrNotSupported = 524;              ///< ENOTSUPP, which the C library has no name for

}  // namespace trc::kernel::abi
