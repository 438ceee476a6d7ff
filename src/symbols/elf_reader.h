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
  std::uint64_t flags = 0, address = 0, offset = 0, size = 0;
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
  /// A whole section; empty if it has no bytes in the file, or is damaged.
  std::string read(const ElfSection& section) const;
  /// All symbols of a SHT_SYMTAB or SHT_DYNSYM section.
  std::vector<ElfSymbol> symbols(const ElfSection& section) const;
  /// (tag, value) pairs of PT_DYNAMIC.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> dynamic() const;

 private:
  ElfReader() = default;
  Result<> parse(const std::string& path);
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
