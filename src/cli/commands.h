// What trc does with its options: run a script, list probes.
#pragma once

#include "base/result.h"
#include "cli/options.h"

namespace trc::cli {

/// Compiles the script and runs it to its end; returns trc's exit status. Diagnostics of the script are printed here.
Result<int> run_script(const Options& options);

/// trc explain [CODE].
Result<int> explain(const Options& options);

/// --info: what this kernel, this user and this binary can do.
std::string info_text(const Options& options);

/// --fmt: prints the script in canonical layout, or writes it to -o.
Result<int> format_script(const Options& options);

/// --fix: makes the mends that are certain, in the script's file, in that of -o, or for -e and standard input on standard output. Status 1 if
/// mistakes remain.
Result<int> fix_script(const Options& options);

/// --tables: builtins, probe types, configuration variables, options, formats, diagnostics and words of the language, as JSON.
std::string tables_text();

/// trc -l: the attach points that match a pattern, sorted, one a line.
Result<int> list_probes(const Options& options);

}  // namespace trc::cli
