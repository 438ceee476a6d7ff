// Which files the dynamic loader will map for a program, found before it runs.
#pragma once

#include <string>
#include <vector>

namespace trc::runtime {

/// The program itself (a script's interpreter in its place), its ELF interpreter, LD_PRELOAD of `environment` ("NAME=value" each) and of
/// /etc/ld.so.preload, and all that these need. What cannot be found is left out.
std::vector<std::string> files_of_program(const std::string& path, const std::vector<std::string>& environment);

/// The environment of a process as it was at its exec; empty if it is gone.
std::vector<std::string> environment_of(std::int32_t pid);

}  // namespace trc::runtime
