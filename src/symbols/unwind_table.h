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

struct UnwindTable {
  std::vector<UnwindRow> rows;        ///< by offset, no two the same; the last one's rule is TRC_UW_NONE. Empty: no call frame information
  std::vector<std::uint64_t> rules;   ///< each once, TRC_UW_NONE first
};

/// From .eh_frame, found by its section or, without section headers, by PT_GNU_EH_FRAME. What is damaged in it is left out. Fails for a
/// file of another architecture, and when `given_up` becomes true meanwhile (a table of a very large program takes a second).
Result<UnwindTable> build_unwind_table(const ElfReader& file, const std::atomic<bool>* given_up = nullptr);

/// That of the kernel's code in every process; offsets count from its beginning.
Result<UnwindTable> build_vdso_unwind_table();

}  // namespace trc::symbols
