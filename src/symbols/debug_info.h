// Source lines and inlined functions, from DWARF debug information. libdw reads it, over bytes that we have read ourselves: it would map the
// file, and a mapped file that shrinks kills its reader. It is loaded when the first line is asked for, so that nobody else pays for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "symbols/elf_reader.h"

namespace trc::symbols {

struct SourcePosition {
  std::string function;     ///< linkage name of an inlined function; empty for the one that has the code
  std::string file;         ///< as the compiler wrote it
  unsigned line = 0;        ///< 0: unknown
};

/// A line as a user names it. Column 0: any.
struct SourceLine {
  std::string file;
  unsigned line = 0, column = 0;
};

class DebugInfo {
 public:
  /// Is libdw there? Otherwise the error says what to install.
  static Result<> check();
  /// Null if `file` has no debug information, or damaged information, or refers to a further file that is not there. Not read: split
  /// information (.dwo).
  static std::unique_ptr<DebugInfo> read(const ElfReader& file);
  virtual ~DebugInfo() = default;

  /// Where the code at a virtual address comes from: the innermost inlined function first, the function that holds it last. Empty: unknown.
  virtual std::vector<SourcePosition> at(std::uint64_t address) = 0;
  /// The virtual address of the first statement of a line, in the compilation unit whose source file has that name: whole, or its last parts.
  /// What the unit includes does not count. Errors: no unit, several different ones, no code for the line.
  virtual Result<std::uint64_t> address_of(const SourceLine& wanted) = 0;
};

/// The same of an ELF file or of the debug file that belongs to it.
Result<std::uint64_t> find_source_line(const std::string& path, const SourceLine& wanted);

}  // namespace trc::symbols
