// Addresses of single symbols of any kind, for those who want one or two of them and no index.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "symbols/elf_reader.h"

namespace trc::symbols {

/// Virtual addresses of defined symbols in .symtab and .dynsym, one in `found` for each of `names`; 0: not there. Versions are no part of a
/// name here.
void find_symbols(const ElfReader& file, std::span<const std::string_view> names, std::span<std::uint64_t> found);

/// A function or variable by its name (the first that is defined), also in the files that hold what this one was stripped of. Address 0: not there.
struct SymbolPlace { std::uint64_t address = 0, size = 0; };
SymbolPlace find_symbol(const ElfReader& file, const std::string& path, std::string_view name);

template <std::size_t N>
std::array<std::uint64_t, N> find_symbols(const ElfReader& file, const std::array<std::string_view, N>& names) {
  std::array<std::uint64_t, N> found{};
  find_symbols(file, names, found);
  return found;
}

}  // namespace trc::symbols
