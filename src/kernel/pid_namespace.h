// The pid namespace that trc itself is in: in its numbers processes are shown.
#pragma once

#include <cstdint>

namespace trc::kernel {

struct PidNamespace {
  std::uint64_t device = 0, inode = 0;   ///< of /proc/self/ns/pid; both 0: the first namespace, whose numbers the kernel itself uses
};
PidNamespace own_pid_namespace();

}  // namespace trc::kernel
