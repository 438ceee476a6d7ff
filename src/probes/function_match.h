// Which functions of a file the last field of a uprobe means: "malloc", "py*", "main+16", "0x4011d6", and with cpp: demangled names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "symbols/elf_file.h"

namespace trc::probes {

struct FunctionPattern {
  enum class Form : std::uint8_t { Name, Wildcard, Offset, Address } form = Form::Name;
  std::string text;              ///< the name or pattern; of Offset without "+N"
  std::uint64_t number = 0;      ///< Offset: bytes into the function; Address: virtual address in the file
  bool is_demangled = false;     ///< cpp:
  bool any_offset = false;       ///< Offset, Address: also where no instruction seems to begin
  bool exported_only = false;    ///< Wildcard: only what the file offers to others (.dynsym)
};

FunctionPattern parse_function(std::string_view text, bool is_demangled);

struct FunctionSite {
  std::uint64_t address = 0;     ///< virtual
  std::uint64_t file_offset = 0;
  std::string_view function;     ///< valid as long as the ElfFile
  std::uint64_t offset = 0;      ///< bytes into the function
  bool is_indirect = false;      ///< the resolver of an IFUNC
};

struct FunctionMatches {
  std::vector<FunctionSite> sites;  ///< by address, each address once
  std::size_t skipped = 0;          ///< matched a wildcard, but the kernel refuses them or they are IFUNC resolvers
};

/// Finding nothing is not an error here. Errors: an offset outside its function or inside an instruction, an address outside the code, a single
/// function that the kernel refuses.
Result<FunctionMatches> match_functions(const symbols::ElfFile& elf, const FunctionPattern& pattern);

}  // namespace trc::probes
