// A mapped file as a source of names. Found and opened while the process that maps it still shows where it is; its symbols are read when the
// first name is asked for.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/owned.h"
#include "symbols/debug_file.h"
#include "symbols/debug_info.h"
#include "symbols/elf_reader.h"
#include "symbols/process_maps.h"
#include "symbols/symbol_index.h"

namespace trc::symbols {

/// Inode numbers are used again after a file is deleted; size and time tell the files apart.
struct FileId {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t seconds = 0, nanoseconds = 0;
  auto operator<=>(const FileId&) const = default;
};

/// The file of a mapping of the first of `pids`, whatever became of its path; none if it cannot be reached. The others are ancestors.
Fd open_mapped_file(std::span<const std::uint32_t> pids, const MapsLine& line);

class Module {
 public:
  /// A file that cannot be reached, or one that is read already.
  explicit Module(std::string shown_path, std::shared_ptr<const ElfReader> file = nullptr);
  /// `opened_as` is a path to the file that can vanish; `file` outlasts it, but may be none.
  Module(std::string shown_path, std::string opened_as, const FileId& id, Fd file)
      : path_(std::move(shown_path)), opened_as_(std::move(opened_as)), id_(id), descriptor_(std::move(file)) {}

  /// As the process calls it.
  const std::string& path() const { return path_; }

  struct Match { const std::string* name; std::uint64_t offset; };
  /// The function at a byte of the file.
  std::optional<Match> find(std::uint64_t file_offset, bool demangled);
  /// Where the code at a byte of the file comes from (debug_info.h); empty if that is not known.
  std::vector<SourcePosition> source(std::uint64_t file_offset);
  /// Hex, empty if it has none.
  const std::string& build_id();

 private:
  void load();
  void load_symbols();
  void load_debug_info();
  FilePlace place() const;

  std::string path_, opened_as_;
  FileId id_;
  Fd descriptor_;                                   ///< until loaded
  bool loaded_ = false;
  std::shared_ptr<const ElfReader> file_;
  std::optional<std::string> build_id_;
  std::unique_ptr<SymbolIndex> symbols_;
  std::vector<std::shared_ptr<const ElfReader>> others_;   ///< other_symbol_files(), once symbols_ is there
  std::unique_ptr<DebugInfo> debug_info_;
  bool debug_info_loaded_ = false;
  std::unordered_map<std::uint64_t, std::string> names_;  ///< by Match::key(), as shown, filled as they are asked for
};

/// The modules of all processes; each file is there once.
class Modules {
 public:
  /// The module of a mapping of the first of `pids`; null for memory that is no file. The others are ancestors: when the process is gone
  /// already, the file is looked for in their roots.
  std::shared_ptr<Module> get(std::span<const std::uint32_t> pids, const MapsLine& line);

 private:
  std::map<FileId, std::shared_ptr<Module>> by_file_;
  using Place = std::tuple<std::uint64_t, std::uint64_t, std::string>;         // device, inode, path
  std::map<Place, std::shared_ptr<Module>> seen_;        ///< for a mapping of the same that cannot be reached
  std::map<Place, std::shared_ptr<Module>> unreachable_;
  std::shared_ptr<Module> vdso_;
};

}  // namespace trc::symbols
