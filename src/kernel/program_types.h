// Kinds of programs as the kernel's interface numbers them.
#pragma once

#include <linux/bpf.h>

#include "kernel/bpf_object.h"

namespace trc::kernel {

/// A program type and the expected attach type (0: none).
struct ProgramTypeRow { bpf_prog_type type; int expected; };
ProgramTypeRow program_type_row(ProgramType type);

}  // namespace trc::kernel
