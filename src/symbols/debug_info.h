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
};

}  // namespace trc::symbols
