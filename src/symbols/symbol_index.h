// The functions of one file by address, for naming addresses. Reads no name before it is shown and sorts numbers only, so that a file with
// a million symbols costs a fraction of a second; ElfFile::functions() is for those who look for names.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/elf_reader.h"
#include "symbols/plt.h"

namespace trc::symbols {

class SymbolIndex {
 public:
  /// `file` is what is mapped; `others` are files with more of its symbols (debug_file.h). All are kept open while their names are wanted.
  SymbolIndex(std::shared_ptr<const ElfReader> file, const std::vector<std::shared_ptr<const ElfReader>>& others);

  struct Match {
    std::uint64_t address = 0;    ///< where the symbol begins; one function has one
    std::uint32_t entry = 0;      ///< for name()
    const PltStubs::Stub* stub = nullptr;
    /// Names one function of the file.
    std::uint64_t key() const { return stub != nullptr ? ~address : entry; }
  };
  /// The function that covers a virtual address, or else the stub or the label in hand-written code that it follows. Nullopt for an address
  /// between functions: a guess would be wrong.
  std::optional<Match> find(std::uint64_t address) const;
  /// As the file has it, without version; "NAME@plt" for a stub.
  std::string name(const Match& match) const;
  std::size_t size() const { return entries_.size(); }

 private:
  enum Kind : std::uint8_t { kSizedGlobal, kSizedLocal, kUnsizedGlobal, kUnsizedLocal, kLabel };  // the better first
  struct Entry {
    std::uint32_t size = 0, name = 0;   ///< size: cut to 32 bits
    std::uint8_t names = 0;             ///< index into names_
    Kind kind = kLabel;
  };
  /// A string table: small ones are in memory, of large ones only what was asked for.
  struct Names {
    std::shared_ptr<const ElfReader> file;   ///< null when all is in memory
    std::uint64_t offset = 0, size = 0;
    std::map<std::uint64_t, std::string> chunks;
  };
  struct Range { std::uint64_t start = 0, end = 0; };

  void add(const std::shared_ptr<const ElfReader>& file, std::uint32_t section_type);
  void sort();
  std::string read_name(const Entry& entry) const;
  std::optional<std::uint32_t> best_at(std::size_t first, std::uint64_t address) const;
  bool reaches(std::uint64_t from, std::uint64_t to) const;

  std::shared_ptr<const ElfReader> file_;
  std::vector<Range> code_;                  ///< executable segments
  std::vector<Range> sections_;              ///< executable sections: what has no size ends with its own
  std::vector<std::uint64_t> addresses_;     ///< sorted; apart from entries_, so that a search touches little memory
  std::vector<Entry> entries_;
  mutable std::deque<Names> names_;
  mutable std::optional<PltStubs> stubs_;
};

}  // namespace trc::symbols
