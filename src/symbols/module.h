// A mapped file as a source of names. Found and opened while the process that maps it still shows where it is; its symbols are read when the
// first name is asked for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/owned.h"
#include "symbols/elf_file.h"
#include "symbols/process_maps.h"

namespace trc::symbols {

class Module {
 public:
  /// `file` may be none: then nothing in it has a name. `opened_as` is a path to it that can vanish.
  Module(std::string shown_path, std::string opened_as, Fd file)
      : path_(std::move(shown_path)), opened_as_(std::move(opened_as)), file_(std::move(file)) {}

  /// As the process calls it.
  const std::string& path() const { return path_; }

  struct Match { const std::string* name; std::uint64_t offset; };
  /// The function at a byte of the file.
  std::optional<Match> find(std::uint64_t file_offset, bool demangled);
  /// Reads the symbols now.
  void load();

 private:
  std::string path_, opened_as_;
  Fd file_;                                 ///< until loaded
  bool loaded_ = false;
  std::shared_ptr<const ElfFile> elf_;
  std::unordered_map<const Function*, std::string> names_;  ///< as shown, filled as they are asked for
};

/// The modules of all processes; each file is there once.
class Modules {
 public:
  /// The module of a mapping of `pid`; null for memory that is no file.
  std::shared_ptr<Module> get(std::uint32_t pid, const MapsLine& line);

 private:
  /// Inode numbers are used again after a file is deleted; size and time tell the files apart.
  using FileId = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::int64_t, std::int64_t>;
  std::map<FileId, std::shared_ptr<Module>> by_file_;
  std::map<std::pair<std::uint64_t, std::string>, std::shared_ptr<Module>> unreachable_;
  std::shared_ptr<Module> vdso_;
};

}  // namespace trc::symbols
