// What /proc says of a process. Everything may be gone at any moment: then there is no answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trc::runtime {

struct ProcessStatus { char state = '?'; std::int32_t parent = 0; };
std::optional<ProcessStatus> process_status(std::int32_t pid);
/// The file that the process executes; empty if it is gone or hidden.
std::string process_exe(std::int32_t pid);
/// argv, as the process has it now.
std::vector<std::string> process_arguments(std::int32_t pid);
/// The state letter of each of its threads.
std::string thread_states(std::int32_t pid);
std::vector<std::int32_t> all_processes();

}  // namespace trc::runtime
