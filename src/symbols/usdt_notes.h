// USDT probes as a compiler leaves them in a file: notes in .note.stapsdt.
#pragma once

#include <vector>

#include "symbols/elf_file.h"

namespace trc::symbols {

class ElfReader;

/// Damaged notes are left out.
std::vector<UsdtNote> read_usdt_notes(const ElfReader& file);

}  // namespace trc::symbols
