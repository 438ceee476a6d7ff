// From the file that a user probe names to the ELF files that it means in this run: paths, bare names ("the program, not just the file"),
// libraries, the mapped files of -p. Shared by uprobe, uretprobe and usdt.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/provider.h"
#include "symbols/elf_file.h"

namespace trc::probes {

struct UserFile {
  std::string path;  ///< to attach to and to print: absolute, links resolved
  std::shared_ptr<const symbols::ElfFile> elf;
};

struct UserFiles {
  std::vector<UserFile> files;         ///< the program or library first, then libraries that carry the program's code
  std::optional<Deferred> deferred;    ///< set: not known before the command has executed it; files is empty
  std::vector<std::string> notes;
  bool is_program = false;             ///< named by a bare name, so its libraries belong to it
  bool is_mapped = false;              ///< everything that -p has mapped: files without a match are fine
};

/// `binary` as written; empty or "*": the mapped files of -p. Errors say which file cannot be probed and why.
Result<UserFiles> resolve_user_files(std::string_view provider, const std::string& binary, const Scope& scope);

/// See Provider::wants_exec.
bool user_files_want_exec(const std::string& binary, const std::string& exe, const std::vector<std::string>& names);

/// Is `file` ("python3.11") a program that `name` ("python3", "python") may mean: equal, or followed by a version.
bool program_name_matches(std::string_view name, std::string_view file);

/// Libraries of the program `elf` that carry its code: DT_NEEDED lib<name>*, the version taken off the name ("python3" and
/// libpython3.11.so.1.0). Their sonames.
std::vector<std::string> companion_sonames(const symbols::ElfFile& elf, std::string_view name);

/// For a file named by path that is a launcher: the path of the library with its code, empty if it is none.
std::string launcher_library(const UserFile& file);

}  // namespace trc::probes
