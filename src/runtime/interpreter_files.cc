#include "runtime/interpreter_files.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/read_file.h"
#include "kernel/bpf_map.h"
#include "stdlib/python_abi.h"
#include "symbols/process_maps.h"

namespace trc::runtime {
namespace {

constexpr std::string_view kCLibrary = "libc.so.6";

/// Where the C library is that a process has loaded; empty if none is seen.
std::string c_library_of(std::int32_t pid, const std::vector<symbols::MapsLine>& lines) {
  for (const symbols::MapsLine& line : lines) {
    if (line.mapping.path.ends_with(kCLibrary)) return fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, line.mapping.start, line.mapping.end);
  }
  return "";
}

std::vector<symbols::MapsLine> maps_of(std::int32_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/maps", pid));
  return text ? symbols::parse_maps(*text) : std::vector<symbols::MapsLine>();
}

/// Opening must not wait: a path may lead to a device or a pipe.
Fd open_file(const std::string& path) { return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)); }

}  // namespace

Result<std::unique_ptr<InterpreterFiles>> InterpreterFiles::create(const image::ProgramImage& image) {
  auto language = interpreters::make_python();
  const auto maps = language->maps();
  const bool used = std::any_of(image.maps.begin(), image.maps.end(), [&](const image::MapEntry& map) { return map.name == maps.files; });
  if (!used) return nullptr;
  std::unique_ptr<InterpreterFiles> files(new InterpreterFiles(std::move(language)));
  TRC_TRY(files_map, kernel::create_map({.name = maps.files, .type = BPF_MAP_TYPE_HASH, .key_size = sizeof(trc_uw_file_key),
                                         .value_size = sizeof(trc_py_file), .max_entries = maps.max_files}));
  TRC_TRY(late_map, kernel::create_map({.name = maps.late, .type = BPF_MAP_TYPE_HASH, .key_size = sizeof(trc_py_late_key), .value_size = 8,
                                        .max_entries = maps.max_files}));
  TRC_TRY(layouts_map, kernel::create_map({.name = maps.layouts, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = maps.layout_size,
                                           .max_entries = maps.max_layouts}));
  files->files_ = std::move(files_map);
  files->late_ = std::move(late_map);
  files->layouts_ = std::move(layouts_map);
  return files;
}

void InterpreterFiles::provide(Engine& engine) const {
  const auto maps = language_->maps();
  engine.provide_map(maps.files, files_.get());
  engine.provide_map(maps.late, late_.get());
  engine.provide_map(maps.layouts, layouts_.get());
}

void InterpreterFiles::answer(const Key& key, std::uint32_t state, std::uint32_t number) {
  const trc_uw_file_key file{key.first, key.second};
  const trc_py_file value{state, number};
  const kernel::BpfMap map{.fd = files_.get(), .key_size = sizeof file, .value_size = sizeof value, .max_entries = TRC_PY_MAX_FILES};
  // A full map costs only that a file is asked for again and again.
  (void)kernel::update(map, std::as_bytes(std::span(&file, 1)), std::as_bytes(std::span(&value, 1)), false);
}

/// The file as programs see it at its mappings. nullopt: it is none, or another than the one that was expected.
std::optional<InterpreterFiles::Key> InterpreterFiles::key_of(int fd, const std::optional<Key>& expected) {
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  const FileKeys::Answer answer = keys_.of(fd, info);
  const Key key{answer.key.device, answer.key.inode};
  if (!expected || key == *expected) return key;
  if (answer.is_certain) return std::nullopt;
  return expected;
}

void InterpreterFiles::look(int fd, const Key& key, const std::string& shown, const std::string& c_library) {
  known_.insert(key);
  const auto file = symbols::ElfReader::open(fmt::format("/proc/self/fd/{}", fd));
  if (!file) return answer(key, TRC_PY_FILE_NONE, 0);
  auto found = language_->recognise(*file, shown);
  const auto maps = language_->maps();
  if (!found) {
    answer(key, TRC_PY_FILE_NONE, 0);
  } else if (!*found || count_ == maps.max_layouts) {
    const std::string why = *found ? fmt::format("more than {} files with an interpreter", maps.max_layouts) : found->error().message();
    refused_.push_back(shown.empty() ? why : shown + ": " + why);
    answer(key, TRC_PY_FILE_UNKNOWN, 0);
  } else {
    if (const auto library = symbols::ElfReader::open(c_library)) language_->complete(**found, *library);
    const kernel::BpfMap map{.fd = layouts_.get(), .key_size = 4, .value_size = maps.layout_size, .max_entries = maps.max_layouts};
    const std::uint32_t number = count_++;
    (void)kernel::update(map, std::as_bytes(std::span(&number, 1)), std::as_bytes(std::span(**found)), false);
    answer(key, TRC_PY_FILE_READY, number);   // last: programs that see it find the layout
  }
}

std::uint64_t InterpreterFiles::late_stacks(std::uint32_t program) const {
  const kernel::BpfMap late{.fd = late_.get(), .key_size = sizeof(trc_py_late_key), .value_size = 8, .max_entries = TRC_PY_MAX_FILES};
  const kernel::BpfMap files{.fd = files_.get(), .key_size = sizeof(trc_uw_file_key), .value_size = sizeof(trc_py_file), .max_entries = TRC_PY_MAX_FILES};
  std::uint64_t stacks = 0;
  (void)kernel::for_each_element(late, [&](std::span<const std::byte> key, std::span<const std::byte> value) {
    trc_py_late_key met;
    std::memcpy(&met, key.data(), sizeof met);
    if (met.program != program) return;
    trc_py_file file{};
    const auto known = kernel::lookup(files, std::as_bytes(std::span(&met.file, 1)));
    if (known && known->size() >= sizeof file) std::memcpy(&file, known->data(), sizeof file);
    std::uint64_t count = 0;
    std::memcpy(&count, value.data(), sizeof count);
    if (file.state != TRC_PY_FILE_NONE) stacks += count;
  });
  return stacks;
}

void InterpreterFiles::look_at_process(std::int32_t pid) {
  const auto lines = maps_of(pid);
  const std::string c_library = c_library_of(pid, lines);
  for (const symbols::MapsLine& line : lines) {
    if (line.mapping.inode == 0 || !shown_.emplace(line.mapping.device, line.mapping.inode).second) continue;
    const Fd fd = open_file(fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, line.mapping.start, line.mapping.end));
    const auto key = key_of(fd.get(), std::nullopt);
    if (key && !known_.contains(*key)) look(fd.get(), *key, line.mapping.path, c_library);
  }
}

void InterpreterFiles::look_at_files(const std::vector<std::string>& paths) {
  const auto c_library = std::find_if(paths.begin(), paths.end(), [](const std::string& path) { return path.ends_with(kCLibrary); });
  for (const std::string& path : paths) {
    const Fd fd = open_file(path);
    const auto key = key_of(fd.get(), std::nullopt);
    if (key && !known_.contains(*key)) look(fd.get(), *key, path, c_library != paths.end() ? *c_library : "");
  }
}

void InterpreterFiles::asked(std::span<const std::byte> bytes) {
  trc_py_file_record record;
  if (bytes.size() < sizeof record) return;
  std::memcpy(&record, bytes.data(), sizeof record);
  const Key key{record.key.device, record.key.inode};
  const auto pid = static_cast<std::int32_t>(record.tgid);
  const std::string path = fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, record.start, record.end);
  const Fd fd = open_file(path);
  if (key_of(fd.get(), key)) {
    std::error_code error;
    const std::string shown = std::filesystem::read_symlink(path, error).string();
    return look(fd.get(), key, shown, c_library_of(pid, maps_of(pid)));
  }
  // The process is gone, or has unmapped it. Whoever maps it next asks again.
  const trc_uw_file_key file{key.first, key.second};
  const kernel::BpfMap map{.fd = files_.get(), .key_size = sizeof file, .value_size = sizeof(trc_py_file), .max_entries = TRC_PY_MAX_FILES};
  (void)kernel::remove(map, std::as_bytes(std::span(&file, 1)));
}

}  // namespace trc::runtime
