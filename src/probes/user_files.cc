#include "probes/user_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/glob.h"
#include "base/owned.h"
#include "base/read_file.h"
#include "base/strings.h"
#include "probes/arch.h"
#include "probes/forms.h"
#include "symbols/process_maps.h"

namespace trc::probes {
namespace {

namespace fs = std::filesystem;

std::string base_name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

bool is_elf(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char magic[4] = {};
  return fd && ::pread(fd.get(), magic, 4, 0) == 4 && std::string_view(magic, 4) == "\177ELF";
}

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat x {}, y {};
  return ::stat(a.c_str(), &x) == 0 && ::stat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/// "/proc/12/root" of "/proc/12/root/usr/bin/x", empty for other paths.
std::string process_root(const std::string& path) {
  const std::vector<std::string> parts = split(path, '/');
  if (parts.size() < 5 || parts[1] != "proc" || parts[3] != "root") return "";
  return "/proc/" + parts[2] + "/root";
}

/// Follows links inside another root, where an absolute link starts at that root and not at ours.
std::string resolve_below(const std::string& root, const std::string& path) {
  std::vector<std::string> rest = split(path, '/'), done;
  std::reverse(rest.begin(), rest.end());
  constexpr int kMaxLinks = 40;
  for (int links = 0; !rest.empty();) {
    const std::string part = rest.back();
    rest.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    done.push_back(part);
    std::error_code failure;
    const fs::path link = fs::read_symlink(root + "/" + join(done, "/"), failure);
    if (failure || ++links > kMaxLinks) continue;
    done.pop_back();
    if (link.is_absolute()) done.clear();
    std::vector<std::string> parts = split(link.string(), '/');
    rest.insert(rest.end(), parts.rbegin(), parts.rend());
  }
  return root + "/" + join(done, "/");
}

/// Absolute and without links; as it stands if it leads nowhere.
std::string resolve_path(const std::string& path) {
  if (const std::string root = process_root(path); !root.empty()) return resolve_below(root, path.substr(root.size()));
  std::error_code failure;
  const fs::path real = fs::canonical(path, failure);
  return failure ? fs::absolute(path).string() : real.string();
}

Result<UserFile> open_user_file(std::string_view provider, const std::string& path) {
  UserFile file{resolve_path(path), nullptr};
  auto elf = symbols::open_cached(file.path);
  if (!elf && (elf.error().code() == ENOENT || elf.error().code() == ENOTDIR)) {
    return Error(fmt::format("{} target file '{}' does not exist or is not executable", provider, path));
  }
  if (!elf) return std::move(elf).error();
  const Arch& arch = native_arch();
  if ((*elf)->machine() != arch.elf_machine || !(*elf)->is_64bit()) {
    return Error(fmt::format("{} is a {}-bit {} ELF file, and this trc traces 64-bit {} ones", file.path, (*elf)->is_64bit() ? 64 : 32,
                             symbols::machine_name((*elf)->machine()), arch.name));
  }
  file.elf = std::move(*elf);
  return file;
}

/// What PATH has under a name.
struct OnPath {
  std::string elf;     ///< the first ELF file
  std::string script;  ///< an executable before it that is none
};

OnPath find_on_path(const std::string& name) {
  OnPath found;
  const char* path = std::getenv("PATH");
  for (const std::string& directory : split(path ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
    const std::string file = (directory.empty() ? "." : directory) + "/" + name;
    struct stat st {};
    if (::stat(file.c_str(), &st) != 0 || !S_ISREG(st.st_mode) || ::access(file.c_str(), X_OK) != 0) continue;
    if (is_elf(file)) {
      found.elf = file;
      break;
    }
    if (found.script.empty()) found.script = file;
  }
  return found;
}

std::vector<std::string> names_on_path() {
  std::set<std::string> names;
  const char* path = std::getenv("PATH");
  for (const std::string& directory : split(path ? path : "", ':')) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) names.insert(entry.path().filename());
  }
  return {names.begin(), names.end()};
}

/// Programs come first: a name is a library's only when PATH has no program of it.
bool means_library(const std::string& name, const OnPath& on_path) {
  if (!on_path.elf.empty() || !on_path.script.empty()) return false;
  return name.find(".so") != std::string::npos || name.starts_with("lib") || !symbols::find_library(name).empty();
}

/// The library in the dependencies of a program, as its dynamic loader will find it.
std::string find_in_dependencies(const UserFile& program, const std::string& name) {
  std::vector<UserFile> queue = {program};
  std::set<std::string> seen;
  for (std::size_t i = 0; i < queue.size() && i < 1000; ++i) {
    for (const std::string& soname : queue[i].elf->needed()) {
      if (!seen.insert(soname).second) continue;
      const std::string path = symbols::resolve_needed(*queue[i].elf, soname);
      if (path.empty()) continue;
      if (symbols::library_name_matches(name, soname) || symbols::library_name_matches(name, base_name(path))) return path;
      if (auto elf = symbols::open_cached(path)) queue.push_back({path, std::move(*elf)});
    }
  }
  return "";
}

/// A path that a process knows, as we can open it: its root may be another one than ours.
std::string path_in_process(std::int32_t pid, const std::string& path, std::uint64_t inode) {
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0 && (inode == 0 || st.st_ino == inode)) return path;
  return fmt::format("/proc/{}/root{}", pid, path);
}

struct MappedFile { std::string name, path; };  // base name in the process; as we open it

Result<std::vector<MappedFile>> mapped_files(std::int32_t pid) {
  auto text = read_file(fmt::format("/proc/{}/maps", pid));
  if (!text) return std::move(text).error().context(fmt::format("the mapped files of process {}", pid));
  std::vector<MappedFile> files;
  std::set<std::string> seen;
  for (const symbols::MapsLine& line : symbols::parse_maps(*text)) {
    const std::string& path = line.mapping.path;
    if (line.deleted || !path.starts_with('/') || !seen.insert(path).second) continue;
    files.push_back({base_name(path), path_in_process(pid, path, line.mapping.inode)});
  }
  return files;
}

std::string process_exe(std::int32_t pid) {
  std::error_code failure;
  const std::string path = fs::read_symlink(fmt::format("/proc/{}/exe", pid), failure);
  struct stat st {};
  const bool known = ::stat(fmt::format("/proc/{}/exe", pid).c_str(), &st) == 0;
  return failure ? "" : path_in_process(pid, path, known ? st.st_ino : 0);
}

std::string process_argv0(std::int32_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/cmdline", pid));
  return text ? base_name(text->substr(0, text->find('\0'))) : "";
}

/// "-bash" is how a login shell is called.
std::string_view without_login_dash(std::string_view name) { return name.starts_with('-') ? name.substr(1) : name; }

/// A program that is known by its file, with the libraries that carry its code.
Result<UserFiles> program_files(std::string_view provider, const std::string& name, const std::string& path, const Scope& scope) {
  UserFiles result;
  result.is_program = true;
  TRC_TRY(program, open_user_file(provider, path));
  std::vector<MappedFile> mapped;
  if (scope.pid >= 0 && !scope.is_child) {
    if (auto files = mapped_files(scope.pid)) mapped = std::move(*files);
  }
  for (const std::string& soname : companion_sonames(*program.elf, name)) {
    std::string library = symbols::resolve_needed(*program.elf, soname);
    for (const MappedFile& file : mapped)
      if (file.name == soname) library = file.path;
    if (library.empty()) continue;
    if (auto file = open_user_file(provider, library)) result.files.push_back(std::move(*file));
  }
  result.files.insert(result.files.begin(), std::move(program));
  return result;
}

Result<UserFiles> one_file(std::string_view provider, const std::string& path) {
  UserFiles result;
  TRC_TRY(file, open_user_file(provider, path));
  result.files.push_back(std::move(file));
  return result;
}

UserFiles deferred(const std::string& name) {
  UserFiles result;
  result.is_program = true;
  result.deferred = Deferred{name};
  return result;
}

/// -p: what the process itself has under that name comes first.
Result<UserFiles> name_in_process(std::string_view provider, const std::string& name, const Scope& scope) {
  if (const std::string exe = process_exe(scope.pid); !exe.empty()) {
    if (program_name_matches(name, base_name(exe)) || without_login_dash(process_argv0(scope.pid)) == name) {
      return program_files(provider, name, exe, scope);
    }
  }
  TRC_TRY(files, mapped_files(scope.pid));
  for (const MappedFile& file : files)
    if (file.name == name || symbols::library_name_matches(name, file.name)) return one_file(provider, file.path);
  return UserFiles();
}

/// -c: the file that the command executes, if its name says that it is the one; else it is known only when it is executed.
Result<UserFiles> name_in_command(std::string_view provider, const std::string& name, const Scope& scope, const OnPath& on_path) {
  const bool command_is_elf = is_elf(scope.command_path);
  const std::string real = resolve_path(scope.command_path);
  const bool is_command = program_name_matches(name, base_name(scope.command_path)) || program_name_matches(name, base_name(real));
  if (!is_command && means_library(name, on_path)) {
    std::string path;
    if (command_is_elf) {
      if (auto program = open_user_file(provider, real)) path = find_in_dependencies(*program, name);
    }
    if (path.empty()) path = symbols::find_library(name);
    return path.empty() ? Result<UserFiles>(deferred(name)) : one_file(provider, path);
  }
  if (scope.executed || (command_is_elf && is_command)) return program_files(provider, name, real, scope);
  return deferred(name);
}

Error no_such_file(std::string_view provider, const std::string& name, const OnPath& on_path) {
  if (!on_path.script.empty()) {
    const std::string interpreter = symbols::script_interpreter(on_path.script);
    return Error(fmt::format("{} is a script, and PATH has no ELF file named '{}'", on_path.script, name))
        .hint(interpreter.empty() ? "run it with -c, so that trc sees what it executes"
                                  : fmt::format("run it with -c, so that trc sees what it executes, or probe its interpreter {}", interpreter));
  }
  return Error(fmt::format("{} target file '{}' does not exist or is not executable", provider, name))
      .hint(did_you_mean(name, names_on_path()));
}

}  // namespace

bool program_name_matches(std::string_view name, std::string_view file) {
  if (name.empty() || !file.starts_with(name)) return false;
  std::string_view version = file.substr(name.size());
  if (version.empty()) return true;
  if (version[0] == '-' || version[0] == '.') version.remove_prefix(1);
  return !version.empty() && is_digit(version[0]) && version.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::vector<std::string> companion_sonames(const symbols::ElfFile& elf, std::string_view name) {
  std::string_view stem = name.substr(0, name.find_last_not_of("0123456789.-") + 1);
  if (stem.size() < 3) stem = name;  // "m4" is not a version of "m"
  std::vector<std::string> sonames;
  if (stem.empty()) return sonames;
  const std::string prefix = "lib" + std::string(stem);
  for (const std::string& soname : elf.needed()) {
    if (!soname.starts_with(prefix) || soname.size() == prefix.size()) continue;
    const char next = soname[prefix.size()];
    if (is_digit(next) || next == '.' || next == '-' || next == '_') sonames.push_back(soname);
  }
  return sonames;
}

std::string launcher_library(const UserFile& file) {
  if (!file.elf->is_executable()) return "";
  const std::vector<std::string> sonames = companion_sonames(*file.elf, base_name(file.path));
  return sonames.empty() ? "" : symbols::resolve_needed(*file.elf, sonames.front());
}

Result<UserFiles> resolve_user_files(std::string_view provider, const std::string& binary, const Scope& scope) {
  const bool has_process = scope.pid >= 0 && !scope.is_child;
  if (binary.empty() || binary == "*") {
    if (!has_process) {
      return Error(fmt::format("{} without a file looks through the mapped files of a process, and there is none", provider))
          .hint(fmt::format("name the file ({}:FILE:…) or the process (-p PID)", provider));
    }
    UserFiles result;
    result.is_mapped = true;
    TRC_TRY(mapped, mapped_files(scope.pid));
    for (const MappedFile& file : mapped)
      if (auto opened = open_user_file(provider, file.path)) result.files.push_back(std::move(*opened));
    return result;
  }
  if (has_glob(binary)) return Error(fmt::format("wildcards in the file of a {} are not supported yet", provider));
  if (binary.find('/') != std::string::npos) return one_file(provider, binary);

  if (has_process) {
    TRC_TRY(found, name_in_process(provider, binary, scope));
    if (!found.files.empty()) return found;
  }
  const OnPath on_path = find_on_path(binary);
  if (scope.is_child) return name_in_command(provider, binary, scope, on_path);
  if (!on_path.elf.empty()) {
    TRC_TRY(found, program_files(provider, binary, on_path.elf, scope));
    if (!on_path.script.empty()) {
      found.notes.push_back(fmt::format("{}: {} is a script; the ELF file of that name on PATH is {}", binary, on_path.script,
                                        found.files.front().path));
    }
    return found;
  }
  if (means_library(binary, on_path)) {
    if (const std::string path = symbols::find_library(binary); !path.empty()) return one_file(provider, path);
  }
  return no_such_file(provider, binary, on_path);
}

bool user_files_want_exec(const std::string& binary, const std::string& exe, const std::vector<std::string>& names) {
  if (binary.empty() || has_glob(binary)) return false;
  if (binary.find('/') != std::string::npos) return is_same_file(resolve_path(binary), exe);
  if (program_name_matches(binary, base_name(exe))) return true;
  if (!names.empty() && without_login_dash(base_name(names.front())) == binary) return true;
  return means_library(binary, find_on_path(binary));
}

}  // namespace trc::probes
