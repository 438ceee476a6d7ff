// Scripts that must compile and load, made from choices.
#pragma once

#include <string>

#include "generator/choices.h"

namespace trc::test {

/// A script of one begin block that says what it prints: made together with its own interpretation by the rules of the manual, not by
/// the compiler's.
struct ComputedScript {
  std::string text;
  std::string prints;
};
ComputedScript computed_script(Choices& choices);

/// What the machine of an arbitrary script has.
struct Machine {
  std::string program;             ///< path of tests/programs' `work`, whose work_add is probed; empty: no uprobes
  bool has_tracepoints = false;
};
/// Anything of the language in any probe: what it prints is not known.
std::string any_script(Choices& choices, const Machine& machine);

}  // namespace trc::test
