#include "symbols/find_symbols.h"

#include <elf.h>

#include <string>

namespace trc::symbols {
namespace {

std::string_view string_at(std::string_view table, std::uint64_t offset) {
  if (offset >= table.size()) return "";
  const std::string_view rest = table.substr(offset);
  return rest.substr(0, rest.find('\0'));
}

}  // namespace

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
