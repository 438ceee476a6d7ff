// An ELF file opened for reading: what kind it is, its functions, where its code lies, its USDT notes. Bytes are hostile: every
// offset is checked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "symbols/library_search.h"

namespace trc::symbols {

struct Function {
  std::string_view name;        ///< valid as long as the ElfFile lives; versions ("@GLIBC_2.2.5") removed
  std::uint64_t address = 0;    ///< virtual address in the file
  std::uint64_t size = 0;       ///< bytes, may be 0
  bool is_global = false;       ///< visible outside its object file (STB_GLOBAL, STB_WEAK)
  bool is_indirect = false;     ///< IFUNC: the code at `address` chooses the function and is not it
  bool is_exported = false;     ///< in .dynsym: visible outside this file
};

struct UsdtNote {
  std::string provider, name, arguments;  ///< arguments as in the note: "-4@%edi 8@-8(%rbp)"
  std::uint64_t address = 0, base = 0, semaphore = 0;  ///< virtual addresses, already adjusted for prelink
};

/// e_machine as a word: "x86-64", "aarch64", "i386", …
std::string machine_name(std::uint16_t e_machine);

/// The interpreter of a "#!" script, empty if the file is none.
std::string script_interpreter(const std::string& path);

class ElfFile {
 public:
  /// Errors: not a regular file, not an ELF file (a script's interpreter is named in the hint), damaged.
  static Result<std::shared_ptr<const ElfFile>> open(const std::string& path);
  /// The same from memory; `path` is for messages.
  static Result<std::shared_ptr<const ElfFile>> from_bytes(std::string bytes, const std::string& path);
  virtual ~ElfFile() = default;

  virtual const std::string& path() const = 0;
  virtual std::uint16_t machine() const = 0;
  virtual bool is_64bit() const = 0;
  virtual bool is_executable() const = 0;                              ///< ET_EXEC, or ET_DYN with an interpreter
  virtual const std::vector<std::string>& needed() const = 0;          ///< DT_NEEDED
  virtual std::string interpreter() const = 0;                         ///< PT_INTERP, empty if none
  virtual std::string soname() const = 0;
  virtual std::string build_id() const = 0;                            ///< hex
  virtual std::string rpath() const = 0;                               ///< DT_RPATH as it stands
  virtual std::string runpath() const = 0;                             ///< DT_RUNPATH as it stands
  virtual bool is_code(std::uint64_t address) const = 0;               ///< in an executable segment
  /// Functions with code in this file, of .symtab and .dynsym and, without .symtab, of other_symbol_files(); sorted by
  /// address (the best name of several at one address first: global, sized), duplicates (name, address) removed. IFUNC symbols included.
  virtual const std::vector<Function>& functions() const = 0;
  /// nullptr if the name is not there. All symbols with that name are in `functions()`.
  virtual const Function* find(std::string_view name) const = 0;
  /// The function that covers a virtual address; nullptr if none.
  virtual const Function* at(std::uint64_t address) const = 0;
  /// Virtual address to file offset through PT_LOAD; nullopt outside of it.
  virtual std::optional<std::uint64_t> file_offset(std::uint64_t address) const = 0;
  virtual std::optional<std::uint64_t> virtual_address(std::uint64_t file_offset) const = 0;
  /// Bytes at a file offset (at most what the file has).
  virtual std::string_view bytes(std::uint64_t offset, std::size_t size) const = 0;
  virtual const std::vector<UsdtNote>& usdt() const = 0;
};

/// One ElfFile per (device, inode, mtime): opening again is free while somebody holds it.
Result<std::shared_ptr<const ElfFile>> open_cached(const std::string& path);

}  // namespace trc::symbols
