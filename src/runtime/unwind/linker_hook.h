// Where a dynamic linker says that it has mapped libraries: the function that debuggers put a breakpoint on (r_brk of <link.h>). It is called
// when all files of a dlopen() are mapped, before anything in them is relocated or run.
#pragma once

#include <cstdint>
#include <optional>

#include "symbols/elf_reader.h"

namespace trc::runtime {

struct LinkerHook {
  std::uint64_t offset = 0;      ///< of that function in the file
  std::int64_t to_list = 0;      ///< from its address to the struct r_debug, or to a pointer to it
  bool is_pointer = false;
};

/// Of glibc's and musl's linkers; nullopt: the file is none, or has no symbols.
std::optional<LinkerHook> find_linker_hook(const symbols::ElfReader& file);

}  // namespace trc::runtime
