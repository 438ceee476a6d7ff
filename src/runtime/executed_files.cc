#include "runtime/executed_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/proc.h"

namespace trc::runtime {
namespace {

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::optional<ExecutedFile> ExecutedFiles::note(std::int32_t pid) {
  ExecutedFile file{.exe = process_exe(pid), .names = {}, .script = {}};
  if (file.exe.empty()) return std::nullopt;
  // Not by its path: the process may have another root than we.
  if (struct stat info {}; ::stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &info) == 0) run_.emplace(info.st_dev, info.st_ino);
  const std::vector<std::string> arguments = process_arguments(pid);
  file.names.push_back(arguments.empty() ? base_name(file.exe) : base_name(arguments[0]));
  file.names.push_back(base_name(file.exe));
  if (arguments.size() > 1 && arguments[1].find('/') != std::string::npos && ::access(arguments[1].c_str(), X_OK) == 0) file.script = arguments[1];
  files_.push_back(file);
  return file;
}

std::string ExecutedFiles::other_file_named(const std::string& name) const {
  for (const ExecutedFile& file : files_) {   // a script of that name often executes the program of that name
    if (std::find(file.names.begin(), file.names.end(), name) != file.names.end()) return file.exe;
  }
  for (const ExecutedFile& file : files_) {
    if (base_name(file.script) == name) return file.script + " (a script that " + file.exe + " runs)";
  }
  return {};
}

bool ExecutedFiles::has_run(const std::string& path) const {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && run_.contains({info.st_dev, info.st_ino});
}

}  // namespace trc::runtime
