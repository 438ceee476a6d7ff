// Numbers that are known only when a script starts: code generation reads them from read-only data, the runner fills them in before
// loading, so the verifier knows their value.
#pragma once

#include <cstdint>

namespace trc::lang {

enum class RuntimeConstant : std::uint8_t {
  TargetPid,   ///< -p, else 0
  ChildPid,    ///< -c, else 0
  CpuCount,    ///< possible CPUs
  StartNs,     ///< boot clock at start, for elapsed
  TaiDelta,    ///< CLOCK_TAI minus CLOCK_BOOTTIME at start, for nsecs(sw_tai)
  MaxStack,    ///< kernel.perf_event_max_stack: frames that the kernel's helpers give at most
  PidNamespaceDevice,  ///< of trc's own pid namespace, as stat(2) has it; both 0 in the first one, whose numbers the kernel uses itself
  PidNamespaceInode,
};

inline constexpr RuntimeConstant kLastRuntimeConstant = RuntimeConstant::PidNamespaceInode;

}  // namespace trc::lang
