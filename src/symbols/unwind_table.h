// The unwind table of a file: for each place of its code the rule that leads from a frame to its caller's (stdlib/unwind_abi.h says what
// rules are), made of the file's call frame information.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/result.h"

namespace trc::symbols {

class ElfReader;

struct UnwindRow {
  std::uint64_t offset : 48;   ///< byte of the file from which on the rule holds
  std::uint64_t rule : 16;     ///< index into UnwindTable::rules
};

struct FilePlace;

struct UnwindTable {
  std::vector<UnwindRow> rows;        ///< by offset, no two the same; the last one's rule is TRC_UW_NONE. Empty: no call frame information
  std::vector<std::uint64_t> rules;   ///< each once, TRC_UW_NONE first
};

/// From .eh_frame, found by its section or, without section headers, by PT_GNU_EH_FRAME; functions that are not in it from .debug_frame of the
/// file or, if that has none and less than half of the code is described, of its debug file, which is looked for from `place`, if one is
/// given. What is damaged is left out. Fails for a file of another architecture, and when `given_up` becomes true meanwhile (a table of a
/// very large program takes a second).
Result<UnwindTable> build_unwind_table(const ElfReader& file, const FilePlace* place = nullptr, const std::atomic<bool>* given_up = nullptr);

/// That of the kernel's code in every process; offsets count from its beginning.
Result<UnwindTable> build_vdso_unwind_table();

}  // namespace trc::symbols
