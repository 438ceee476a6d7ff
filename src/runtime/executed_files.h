// What the processes of the command have executed, and under which names.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace trc::runtime {

struct ExecutedFile {
  std::string exe;                   ///< real path
  std::vector<std::string> names;    ///< base name of argv[0], of the file
  std::string script;                ///< argv[1] if it is a file: perhaps the script that `exe` interprets
};

class ExecutedFiles {
 public:
  /// Looks at a process that has just executed something; nullopt if it is gone.
  std::optional<ExecutedFile> note(std::int32_t pid);
  void add(ExecutedFile file) { files_.push_back(std::move(file)); }
  /// Describes the file of that name that was executed: a program, or "/x/python3 (a script that /bin/bash runs)". Empty: none.
  std::string other_file_named(const std::string& name) const;
  /// Is this one of the programs that ran?
  bool has_run(const std::string& path) const;

 private:
  std::vector<ExecutedFile> files_;
  std::set<std::pair<dev_t, ino_t>> run_;
};

}  // namespace trc::runtime
