#include "symbols/module.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/read_file.h"

namespace trc::symbols {
namespace {

/// So many files are kept open only to be there when a name in them is asked for; of further ones the symbols are read at once.
constexpr std::size_t kMaxOpenFiles = 256;

struct OpenedFile {
  Fd fd;
  std::string path;
  struct stat status{};
};

OpenedFile open_regular(const std::string& path) {
  OpenedFile file{Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)), path};
  if (file.fd && (::fstat(file.fd.get(), &file.status) != 0 || !S_ISREG(file.status.st_mode))) file.fd.reset();
  return file;
}

/// The mapped file, looked for where it can be. The process may live in another mount namespace, its file may be deleted, and on overlay or
/// btrfs file systems maps and stat do not agree about the device, so only inodes are compared.
OpenedFile open_mapped(std::uint32_t pid, const MapsLine& line) {
  const Mapping& mapping = line.mapping;
  const std::string proc = fmt::format("/proc/{}/", pid);
  const auto is_it = [&](const OpenedFile& file) { return file.fd && (mapping.inode == 0 || file.status.st_ino == mapping.inode); };

  OpenedFile in_root = open_regular(proc + "root" + mapping.path);
  if (is_it(in_root)) return in_root;
  // The kernel's own reference to the mapped file: right also when the file is deleted, but not everybody may follow it.
  OpenedFile mapped = open_regular(fmt::format("{}map_files/{:x}-{:x}", proc, mapping.start, mapping.end));
  if (mapped.fd) return mapped;
  OpenedFile executable = open_regular(proc + "exe");
  if (is_it(executable) && mapping.inode != 0) return executable;
  OpenedFile here = open_regular(mapping.path);
  if (is_it(here)) return here;
  // Not deleted, so the path leads to it whatever inode an overlay shows.
  if (!line.deleted && in_root.fd) return in_root;
  return {};
}

bool same_file(const std::string& path, const struct stat& status) {
  struct stat other{};
  return ::stat(path.c_str(), &other) == 0 && other.st_ino == status.st_ino && other.st_dev == status.st_dev;
}

/// Our own copy of the vDSO as a file: the kernel maps the same into every process of our kind.
Fd vdso_file() {
  const auto start = static_cast<std::uint64_t>(::getauxval(AT_SYSINFO_EHDR));
  const auto maps = read_file("/proc/self/maps");
  if (start == 0 || !maps) return {};
  for (const MapsLine& line : parse_maps(*maps)) {
    if (line.mapping.start != start) continue;
    Fd fd(::memfd_create("vdso", MFD_CLOEXEC));
    const std::size_t size = line.mapping.end - line.mapping.start;
    if (fd && ::write(fd.get(), reinterpret_cast<const void*>(start), size) == static_cast<ssize_t>(size)) return fd;
  }
  return {};
}

}  // namespace

void Module::load() {
  if (loaded_) return;
  loaded_ = true;
  if (!file_) return;
  // A path in the file system finds separate debug files beside it; the descriptor works when there is no path any more.
  struct stat status{};
  const std::string descriptor = fmt::format("/proc/self/fd/{}", file_.get());
  const std::string* path = &descriptor;
  if (::fstat(file_.get(), &status) == 0) {
    if (same_file(path_, status)) path = &path_;
    else if (same_file(opened_as_, status)) path = &opened_as_;
  }
  if (auto elf = open_cached(*path)) elf_ = std::move(*elf);
  file_.reset();
}

std::optional<Module::Match> Module::find(std::uint64_t file_offset, bool demangled) {
  load();
  if (!elf_) return std::nullopt;
  const auto address = elf_->virtual_address(file_offset);
  if (!address) return std::nullopt;
  const Function* function = elf_->at(*address);
  if (function == nullptr) return std::nullopt;
  const auto [entry, fresh] = names_.try_emplace(function);
  if (fresh) entry->second = demangled ? demangle(function->name) : std::string(function->name);
  return Match{&entry->second, *address - function->address};
}

std::shared_ptr<Module> Modules::get(std::uint32_t pid, const MapsLine& line) {
  const Mapping& mapping = line.mapping;
  if (mapping.path == "[vdso]") {
    if (!vdso_) vdso_ = std::make_shared<Module>("[vdso]", "", vdso_file());
    return vdso_;
  }
  if (!mapping.path.starts_with('/') || mapping.path.starts_with("//")) return nullptr;  // "//anon"
  OpenedFile file = open_mapped(pid, line);
  if (!file.fd) {
    auto& module = unreachable_[{mapping.inode, mapping.path}];
    if (!module) module = std::make_shared<Module>(mapping.path, "", Fd());
    return module;
  }
  const struct stat& status = file.status;
  auto& module = by_file_[{status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec}];
  if (!module) module = std::make_shared<Module>(mapping.path, file.path, std::move(file.fd));
  if (by_file_.size() > kMaxOpenFiles) module->load();
  return module;
}

}  // namespace trc::symbols
