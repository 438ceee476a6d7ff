#include "symbols/module.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <filesystem>

#include "base/read_file.h"

namespace trc::symbols {
namespace {

/// So many files are kept open only to be there when a name in them is asked for; further ones are looked for by path then.
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

/// Does a link of /proc show this path? Ours may be the longer one, when the process has another root.
bool leads_to_path(const std::string& link, const std::string& path) {
  std::error_code failure;
  const std::string target = std::filesystem::read_symlink(link, failure);
  return !failure && from_kernel({.path = target}).mapping.path.ends_with(path);
}

/// The mapped file, looked for where it can be. The process may live in another mount namespace, its file may be deleted, and on overlay or
/// btrfs file systems maps and stat do not agree about the device, so only inodes are compared.
OpenedFile open_mapped(std::span<const std::uint32_t> pids, const MapsLine& line) {
  const Mapping& mapping = line.mapping;
  const auto is_it = [&](const OpenedFile& file) { return file.fd && (mapping.inode == 0 || file.status.st_ino == mapping.inode); };
  const auto in_root_of = [&](std::uint32_t pid) { return open_regular(fmt::format("/proc/{}/root{}", pid, mapping.path)); };

  OpenedFile in_root = in_root_of(pids.front());
  if (is_it(in_root)) return in_root;
  // The kernel's own reference to the mapped file: right also when the file is deleted, but not everybody may follow it.
  OpenedFile mapped = open_regular(fmt::format("/proc/{}/map_files/{:x}-{:x}", pids.front(), mapping.start, mapping.end));
  if (is_it(mapped)) return mapped;
  OpenedFile executable = open_regular(fmt::format("/proc/{}/exe", pids.front()));
  if (is_it(executable) && mapping.inode != 0) return executable;
  OpenedFile here = open_regular(mapping.path);
  if (is_it(here)) return here;
  for (const std::uint32_t ancestor : pids.subspan(1)) {
    OpenedFile there = in_root_of(ancestor);
    if (mapping.inode != 0 && is_it(there)) return there;
  }
  // No inode fits, so it is an overlay's. Another file may be mapped there by now; its path tells.
  if (mapped.fd && leads_to_path(mapped.path, mapping.path)) return mapped;
  // Not deleted, so the path leads to it whatever inode an overlay shows.
  if (!line.deleted && in_root.fd) return in_root;
  return {};
}

FileId id_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

bool leads_to(const std::string& path, const FileId& id) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && id_of(status) == id;
}

/// Our own vDSO: the kernel maps the same into every process of our kind.
std::shared_ptr<const ElfFile> read_vdso() {
  const auto start = static_cast<std::uint64_t>(::getauxval(AT_SYSINFO_EHDR));
  const auto maps = read_file("/proc/self/maps");
  if (start == 0 || !maps) return nullptr;
  for (const MapsLine& line : parse_maps(*maps)) {
    if (line.mapping.start != start) continue;
    auto elf = ElfFile::from_bytes(std::string(reinterpret_cast<const char*>(start), line.mapping.end - start), "[vdso]");
    if (elf) return std::move(*elf);
  }
  return nullptr;
}

}  // namespace

void Module::load() {
  if (loaded_) return;
  loaded_ = true;
  // A path in the file system finds separate debug files beside it; the descriptor works when there is no path any more.
  std::string path;
  if (leads_to(path_, id_)) path = path_;
  else if (leads_to(opened_as_, id_)) path = opened_as_;
  else if (file_) path = fmt::format("/proc/self/fd/{}", file_.get());
  if (auto elf = open_cached(path)) {
    elf_ = std::move(*elf);
    elf_->functions();  // now, while what leads to a debug file is still there
  }
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

std::shared_ptr<Module> Modules::get(std::span<const std::uint32_t> pids, const MapsLine& line) {
  const Mapping& mapping = line.mapping;
  if (mapping.path == "[vdso]") {
    if (!vdso_) vdso_ = std::make_shared<Module>(mapping.path, read_vdso());
    return vdso_;
  }
  if (!mapping.path.starts_with('/') || mapping.path.starts_with("//")) return nullptr;  // "//anon"
  OpenedFile file = open_mapped(pids, line);
  if (!file.fd) {
    auto& module = unreachable_[{mapping.inode, mapping.path}];
    if (!module) module = std::make_shared<Module>(mapping.path);
    return module;
  }
  const FileId id = id_of(file.status);
  auto& module = by_file_[id];
  if (!module) {
    if (by_file_.size() > kMaxOpenFiles) file.fd.reset();
    module = std::make_shared<Module>(mapping.path, file.path, id, std::move(file.fd));
  }
  return module;
}

}  // namespace trc::symbols
