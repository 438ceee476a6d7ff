// Any bytes as an ELF file with debug information: everything that is asked of it returns, and types refer to types that are there.
// Run as: dwarf_fuzz CORPUS FOLDER_OF_SMALL_ELF_FILES_WITH_DEBUG_INFORMATION
#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "symbols/debug_types.h"

namespace {

using namespace trc::symbols;

void walk(DebugTypes& types, DebugTypeId id, unsigned& budget) {
  if (budget == 0) return;
  --budget;
  const DebugType type = types.type(id);
  if (type.id != 0 && types.type(type.id).id != type.id) {
    std::fprintf(stderr, "what a type stands for stands for another one\n");
    std::abort();
  }
  if (type.inner != 0) walk(types, type.inner, budget);
  types.enumerators(id);
  for (const DebugMember& member : types.members(id)) walk(types, member.type, budget);
  if (!type.name.empty()) types.find(type.kind, type.name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = ElfReader::from_bytes(std::string(reinterpret_cast<const char*>(data), size), "/nonexistent/fuzz");
  if (!file) return 0;
  const auto types = DebugTypes::read(*file);
  if (!types) return 0;
  std::vector<std::uint64_t> addresses{0, 0x1000, 0x1139};
  for (const ElfSection& section : file->sections()) {
    if (section.type != SHT_SYMTAB) continue;
    file->for_each_symbol(section, [&](const ElfSymbol& symbol) {
      if (addresses.size() < 16 && symbol.value != 0) addresses.push_back(symbol.value);
    });
  }
  unsigned budget = 2000;
  for (const std::uint64_t address : addresses) {
    const auto function = types->function(address);
    if (!function) continue;
    walk(*types, function->result, budget);
    for (const auto& parameter : function->parameters) walk(*types, parameter.type, budget);
  }
  return 0;
}
