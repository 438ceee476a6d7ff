// What trc does with its options: run a script, list probes.
#pragma once

#include "base/result.h"
#include "cli/options.h"

namespace trc::cli {

/// Compiles the script and runs it to its end; returns trc's exit status. Diagnostics of the script are printed here.
Result<int> run_script(const Options& options);

/// trc -l: the attach points that match a pattern, sorted, one a line.
Result<int> list_probes(const Options& options);

}  // namespace trc::cli
