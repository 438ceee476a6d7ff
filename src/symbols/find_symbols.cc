#include "symbols/find_symbols.h"

#include <elf.h>

#include <string>

#include "symbols/debug_file.h"

namespace trc::symbols {
namespace {

std::string_view string_at(std::string_view table, std::uint64_t offset) {
  if (offset >= table.size()) return "";
  const std::string_view rest = table.substr(offset);
  return rest.substr(0, rest.find('\0'));
}

SymbolPlace find_in(const ElfReader& file, std::string_view wanted) {
  SymbolPlace found;
  for (const ElfSection& section : file.sections()) {
    if ((section.type != SHT_DYNSYM && section.type != SHT_SYMTAB) || section.link >= file.sections().size()) continue;
    const std::string strings = file.read(file.sections()[section.link]);
    file.for_each_symbol(section, [&](const ElfSymbol& symbol) {
      const bool has_place = symbol.section != SHN_UNDEF && symbol.type <= STT_FUNC && symbol.value != 0;
      if (!has_place || found.address != 0) return;
      const std::string_view name = string_at(strings, symbol.name);
      if (name.substr(0, name.find('@')) == wanted) found = {symbol.value, symbol.size};
    });
  }
  return found;
}

}  // namespace

SymbolPlace find_symbol(const ElfReader& file, const std::string& path, std::string_view name) {
  SymbolPlace found = find_in(file, name);
  if (found.address != 0) return found;
  for (const auto& other : other_symbol_files(file, {.path = path})) {
    found = find_in(*other, name);
    if (found.address != 0) break;
  }
  return found;
}

void find_symbols(const ElfReader& file, std::span<const std::string_view> names, std::span<std::uint64_t> found) {
  for (const ElfSection& section : file.sections()) {
    if (section.type != SHT_DYNSYM && section.type != SHT_SYMTAB) continue;
    if (section.link >= file.sections().size()) continue;
    const std::string strings = file.read(file.sections()[section.link]);
    file.for_each_symbol(section, [&](const ElfSymbol& symbol) {
      if (symbol.section == SHN_UNDEF) return;
      const std::string_view name = string_at(strings, symbol.name);
      for (std::size_t i = 0; i < names.size() && i < found.size(); ++i) {
        if (found[i] == 0 && name == names[i]) found[i] = symbol.value;
      }
    });
  }
}

}  // namespace trc::symbols
