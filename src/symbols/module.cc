#include "symbols/module.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <filesystem>

#include "base/read_file.h"
#include "symbols/debuginfod.h"

namespace trc::symbols {
namespace {

/// So many files are kept open only to be there when a name in them is asked for; further ones are looked for by path then.
constexpr std::size_t kMaxOpenFiles = 512;

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
std::shared_ptr<const ElfReader> read_vdso() {
  const auto start = static_cast<std::uint64_t>(::getauxval(AT_SYSINFO_EHDR));
  const auto maps = read_file("/proc/self/maps");
  if (start == 0 || !maps) return nullptr;
  for (const MapsLine& line : parse_maps(*maps)) {
    if (line.mapping.start != start) continue;
    auto file = ElfReader::from_bytes(std::string(reinterpret_cast<const char*>(start), line.mapping.end - start), "[vdso]");
    if (file) return std::make_shared<const ElfReader>(std::move(*file));
  }
  return nullptr;
}

}  // namespace

Fd open_mapped_file(std::span<const std::uint32_t> pids, const MapsLine& line) { return open_mapped(pids, line).fd; }

Module::Module(std::string shown_path, std::shared_ptr<const ElfReader> file)
    : path_(std::move(shown_path)), loaded_(true), file_(std::move(file)) {
  if (file_) symbols_ = std::make_unique<SymbolIndex>(file_, std::vector<std::shared_ptr<const ElfReader>>());
}

/// A path in the file system finds separate debug files beside it.
FilePlace Module::place() const {
  if (leads_to(path_, id_)) return {.path = path_};
  // "/proc/PID/root/PATH", if it was found there
  const std::size_t root_end = opened_as_.size() - std::min(opened_as_.size(), path_.size());
  if (leads_to(opened_as_, id_) && opened_as_.ends_with(path_) && opened_as_.substr(0, root_end).ends_with("/root")) {
    return {.path = path_, .root = opened_as_.substr(0, root_end)};
  }
  return {.path = path_};
}

void Module::load() {
  if (loaded_) return;
  loaded_ = true;
  // Without a descriptor the path may lead to another file by now.
  if (!descriptor_) descriptor_ = open_regular(leads_to(path_, id_) ? path_ : leads_to(opened_as_, id_) ? opened_as_ : "").fd;
  if (!descriptor_) return;
  if (auto file = ElfReader::from_file(std::move(descriptor_), path_)) file_ = std::make_shared<const ElfReader>(std::move(*file));
}

void Module::load_symbols() {
  load();
  if (!file_ || symbols_) return;
  others_ = other_symbol_files(*file_, place());
  if (others_.empty() && !has_symbol_table(*file_)) {
    if (auto fetched = fetch_debug_file(build_id())) others_.push_back(std::move(fetched));
  }
  symbols_ = std::make_unique<SymbolIndex>(file_, others_);
}

void Module::load_debug_info() {
  if (std::exchange(debug_info_loaded_, true)) return;
  load_symbols();
  if (!file_) return;
  debug_info_ = DebugInfo::read(*file_);
  for (const auto& other : others_) {
    if (!debug_info_) debug_info_ = DebugInfo::read(*other);
  }
  if (debug_info_ || !has_symbol_table(*file_)) return;
  // With a symbol table of its own nobody has looked for its debug file.
  const FilePlace where = place();
  const std::string path = find_debug_file(*file_, where);
  const auto file = ElfReader::open(path);
  if (file) debug_info_ = DebugInfo::read(*file);
}

std::vector<SourcePosition> Module::source(std::uint64_t file_offset) {
  load_debug_info();
  const auto address = debug_info_ ? file_->virtual_address(file_offset) : std::nullopt;
  return address ? debug_info_->at(*address) : std::vector<SourcePosition>();
}

std::optional<Module::Match> Module::find(std::uint64_t file_offset, bool demangled) {
  load_symbols();
  if (!symbols_) return std::nullopt;
  const auto address = file_->virtual_address(file_offset);
  const auto match = address ? symbols_->find(*address) : std::nullopt;
  if (!match) return std::nullopt;
  const auto [entry, fresh] = names_.try_emplace(match->key());
  if (fresh) {
    entry->second = symbols_->name(*match);
    if (demangled) entry->second = demangle(entry->second);
  }
  if (entry->second.empty()) return std::nullopt;
  return Match{&entry->second, *address - match->address};
}

const std::string& Module::build_id() {
  load();
  if (!build_id_) build_id_ = file_ ? read_build_id(*file_) : std::string();
  return *build_id_;
}

std::shared_ptr<Module> Modules::get(std::span<const std::uint32_t> pids, const MapsLine& line) {
  const Mapping& mapping = line.mapping;
  if (mapping.path == "[vdso]") {
    if (!vdso_) vdso_ = std::make_shared<Module>(mapping.path, read_vdso());
    return vdso_;
  }
  if (!mapping.path.starts_with('/') || mapping.path.starts_with("//")) return nullptr;  // "//anon"
  OpenedFile file = open_mapped(pids, line);
  const Place place{mapping.device, mapping.inode, mapping.path};
  if (!file.fd) {
    const auto seen = mapping.inode != 0 ? seen_.find(place) : seen_.end();
    if (seen != seen_.end()) return seen->second;
    auto& module = unreachable_[place];
    if (!module) module = std::make_shared<Module>(mapping.path);
    return module;
  }
  const FileId id = id_of(file.status);
  auto& module = by_file_[id];
  if (!module) {
    if (by_file_.size() > kMaxOpenFiles) file.fd.reset();
    module = std::make_shared<Module>(mapping.path, file.path, id, std::move(file.fd));
  }
  seen_[place] = module;
  return module;
}

}  // namespace trc::symbols
