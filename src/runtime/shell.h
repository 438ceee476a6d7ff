// Commands of the shell, for system().
#pragma once

#include <string>

#include "base/result.h"

namespace trc::runtime {

struct ShellResult {
  std::string output;   ///< what it wrote to standard output and standard error, in that order of time
  int status = 0;       ///< as of waitpid(2)
};

/// Runs `command` by /bin/sh -c and waits for it. Processes that it leaves behind are not waited for. Its signals are those of a program that
/// a user starts. Errors: it could not be started.
Result<ShellResult> run_shell(const std::string& command);

}  // namespace trc::runtime
