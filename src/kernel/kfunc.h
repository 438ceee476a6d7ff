// Kernel functions that programs may call (kfuncs): which kinds of programs may is known to the verifier alone, so it is asked.
#pragma once

#include <cstdint>
#include <string>

#include "kernel/bpf_object.h"

namespace trc::kernel {

/// Whether the verifier lets a program of this kind call the function with this BTF id of `module` ("vmlinux": the kernel itself). Loads a program that does
/// nothing else; its arguments are wrong, but whether the call is allowed is looked at first.
bool allows_kfunc(const std::string& module, std::uint32_t id, ProgramType type);

}  // namespace trc::kernel
