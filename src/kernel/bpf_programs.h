// The BPF programs that the kernel holds at the moment, whoever loaded them: their functions, by the names that their type information has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace trc::kernel {

/// A function of a loaded program; programs without type information have none that has a name.
struct BpfFunction {
  std::uint32_t program = 0;   ///< id of the program
  std::string name;
  bool is_traceable = true;    ///< false: the program traces functions itself, and the kernel lets no other trace it
};

/// By program, in the order of their ids. A program that goes away meanwhile is left out. Error: the kernel does not tell (CAP_SYS_ADMIN).
Result<std::vector<BpfFunction>> loaded_bpf_functions();

}  // namespace trc::kernel
