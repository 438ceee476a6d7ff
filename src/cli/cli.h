// The command line: options to one run of the compiler and the runner.
#pragma once

namespace trc::cli {
/// Returns the exit status of the process (cli.md §6). Never throws.
int main(int argc, char** argv);
}  // namespace trc::cli
