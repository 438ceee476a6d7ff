// Whether this process may trace, judged from facts that a test can make up. check_privileges() in facts.h gathers the real ones.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace trc::kernel {

struct PrivilegeFacts {
  std::uint64_t capabilities = 0;         ///< effective set
  bool initial_user_namespace = true;
  std::string lockdown;                   ///< of /sys/kernel/security/lockdown: "[none] integrity confidentiality"; empty if unknown
  int bpf_errno = 0;                      ///< of creating a small map; 0: it worked
  bool seccomp = false;                   ///< a seccomp filter is in force
};

Result<> judge_privileges(const PrivilegeFacts& facts);
PrivilegeFacts gather_privilege_facts();
bool has_capability(std::uint64_t set, unsigned capability);

}  // namespace trc::kernel
