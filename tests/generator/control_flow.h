// What old kernels demand of a program's layout, checked without one.
#pragma once

#include <string>

namespace trc::test {

/// Linux before 6.4 refuses a loop whose end falls into its beginning: an instruction that is no jump, followed by one on the way to it
/// (check_cfg() in kernel/bpf/verifier.c: "back-edge from insn"). The first such place in a BPF object; empty when there is none.
std::string back_edge_without_jump(const std::string& object);

}  // namespace trc::test
