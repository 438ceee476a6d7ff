#include "runtime/proc.h"

#include <unistd.h>

#include <climits>
#include <cstdio>
#include <filesystem>

#include "base/read_file.h"
#include "base/strings.h"

namespace trc::runtime {
namespace {

std::string proc_path(std::int32_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

}  // namespace

std::optional<ProcessStatus> process_status(std::int32_t pid) {
  const auto text = read_file(proc_path(pid, "stat"));
  if (!text) return std::nullopt;
  const std::size_t name_end = text->rfind(')');   // the name may hold anything, parentheses too
  ProcessStatus status;
  if (name_end == std::string::npos || std::sscanf(text->c_str() + name_end + 1, " %c %d", &status.state, &status.parent) != 2) return std::nullopt;
  return status;
}

std::string process_exe(std::int32_t pid) {
  char target[PATH_MAX];
  const ssize_t size = ::readlink(proc_path(pid, "exe").c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : std::string();
}

std::vector<std::string> process_arguments(std::int32_t pid) {
  auto text = read_file(proc_path(pid, "cmdline"));
  if (!text || text->empty()) return {};
  if (text->back() == '\0') text->pop_back();
  return split(*text, '\0');
}

std::string thread_states(std::int32_t pid) {
  std::string states;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(proc_path(pid, "task"), error)) {
    const auto text = read_file(entry.path() / "stat");
    const std::size_t name_end = text ? text->rfind(')') : std::string::npos;
    if (name_end != std::string::npos && name_end + 2 < text->size()) states += (*text)[name_end + 2];
  }
  return states;
}

std::vector<std::int32_t> all_processes() {
  std::vector<std::int32_t> pids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    if (const auto pid = parse_unsigned(entry.path().filename().native())) pids.push_back(static_cast<std::int32_t>(*pid));
  }
  return pids;
}

}  // namespace trc::runtime
