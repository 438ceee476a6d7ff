// The raw tables of an ELF file: header, segments, sections, bytes. Both word sizes come out as 64-bit records. Reads with pread, never
// mmap, so a file that shrinks under us gives short data and no SIGBUS; every offset and size is checked against the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/owned.h"
#include "base/result.h"

namespace trc::symbols {

struct ElfSegment {
  std::uint32_t type = 0, flags = 0;
  std::uint64_t offset = 0, address = 0, file_size = 0, memory_size = 0, align = 0;
};

struct ElfSection {
  std::string name;
  std::uint32_t type = 0, link = 0;
  std::uint64_t flags = 0, address = 0, offset = 0, size = 0, entry_size = 0;
};

struct ElfSymbol {
  std::uint32_t name = 0;
  std::uint8_t type = 0, binding = 0;
  std::uint16_t section = 0;
  std::uint64_t value = 0, size = 0;
};

class ElfReader {
 public:
  static Result<ElfReader> open(const std::string& path);
  /// An open regular file; `path` is for messages.
  static Result<ElfReader> from_file(Fd file, const std::string& path);
  static Result<ElfReader> from_bytes(std::string bytes, const std::string& path);

  std::uint16_t machine() const { return machine_; }
  std::uint16_t type() const { return type_; }
  bool is_64bit() const { return is_64bit_; }
  /// False: written for the other byte order; then there are no segments and sections.
  bool is_native_order() const { return is_native_order_; }
  const std::vector<ElfSegment>& segments() const { return segments_; }
  const std::vector<ElfSection>& sections() const { return sections_; }
  const ElfSection* section(std::string_view name) const;
  std::uint64_t size() const { return size_; }

  /// Up to `size` bytes; shorter at the end of the file.
  std::string read(std::uint64_t offset, std::uint64_t size) const;
  /// Has the file bytes for this section, in a form that can be read as they are?
  bool has_bytes(const ElfSection& section) const;
  /// A whole section; empty if it has no bytes in the file, or is damaged.
  std::string read(const ElfSection& section) const;
  /// The same of one that may be compressed (zlib; others come out empty), of at most `limit` bytes.
  std::string read_unpacked(const ElfSection& section, std::uint64_t limit) const;
  /// All symbols of a SHT_SYMTAB or SHT_DYNSYM section.
  std::vector<ElfSymbol> symbols(const ElfSection& section) const;
  /// Calls use(symbol) for all of them, in pieces, so that a table of any size needs little memory.
  template <class Use>
  void for_each_symbol(const ElfSection& section, Use use) const {
    std::vector<ElfSymbol> some;
    for (std::uint64_t at = 0; read_symbols(section, at, some); at += some.size()) {
      for (const ElfSymbol& symbol : some) use(symbol);
    }
  }
  /// (tag, value) pairs of PT_DYNAMIC.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> dynamic() const;

  /// The loaded segment that holds a virtual address; nullptr if none.
  const ElfSegment* segment_of(std::uint64_t address) const;
  /// Virtual address to file offset through PT_LOAD; nullopt outside of it, and in memory that the file has no bytes for.
  std::optional<std::uint64_t> file_offset(std::uint64_t address) const;
  std::optional<std::uint64_t> virtual_address(std::uint64_t file_offset) const;

 private:
  ElfReader() = default;
  Result<> parse(const std::string& path);
  /// Symbols from number `first` on, some thousand at most; false if there are no more.
  bool read_symbols(const ElfSection& section, std::uint64_t first, std::vector<ElfSymbol>& out) const;
  template <class Class>
  Result<> parse_tables();
  template <class Class>
  void parse_sections(const typename Class::Header& header);

  Fd fd_;
  std::string bytes_;      // instead of fd_
  bool in_memory_ = false;
  std::uint64_t size_ = 0;
  std::uint16_t machine_ = 0, type_ = 0;
  bool is_64bit_ = false, is_native_order_ = true;
  std::vector<ElfSegment> segments_;
  std::vector<ElfSection> sections_;
};

struct ElfNote {
  std::uint32_t type = 0;
  std::string_view name, description;  // into the bytes given
};
/// The notes of a note section or segment; stops at damage.
std::vector<ElfNote> parse_notes(std::string_view bytes, std::uint64_t align);

}  // namespace trc::symbols
