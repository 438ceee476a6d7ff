#include "symbols/plt.h"

#include <elf.h>

#include <cstring>
#include <string_view>

#include "symbols/elf_reader.h"

namespace trc::symbols {
namespace {

/// As many as a file could reasonably call; a hostile one may claim any number.
constexpr std::size_t kMaxStubs = 1 << 16;
constexpr std::uint64_t kMaxSectionBytes = 64 << 20;

struct Slots {
  std::unordered_map<std::uint64_t, std::string> by_address;   ///< the function whose address is written there
  std::vector<std::string> by_number;                          ///< of .rela.plt
};

std::string name_of(const std::string& names, const std::vector<ElfSymbol>& symbols, std::uint64_t number) {
  if (number == 0 || number >= symbols.size() || symbols[number].name >= names.size()) return {};
  const std::string_view rest = std::string_view(names).substr(symbols[number].name);
  const std::string_view name = rest.substr(0, std::min<std::size_t>(rest.find('\0'), 4096));
  return std::string(name.substr(0, name.find('@')));
}

void read_slots(const ElfReader& file, const ElfSection& section, Slots& slots) {
  const auto& sections = file.sections();
  if (section.type != SHT_RELA || section.link >= sections.size() || section.size > kMaxSectionBytes) return;
  const ElfSection& table = sections[section.link];
  if (table.type != SHT_DYNSYM || table.link >= sections.size() || table.size > kMaxSectionBytes) return;
  const std::vector<ElfSymbol> symbols = file.symbols(table);
  const std::string names = file.read(sections[table.link]), bytes = file.read(section);
  const bool is_numbered = section.name == ".rela.plt";
  for (std::size_t at = 0; at + sizeof(Elf64_Rela) <= bytes.size() && slots.by_address.size() < kMaxStubs; at += sizeof(Elf64_Rela)) {
    Elf64_Rela entry;
    std::memcpy(&entry, bytes.data() + at, sizeof entry);
    const auto type = ELF64_R_TYPE(entry.r_info);
    if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) {
      if (is_numbered) slots.by_number.emplace_back();
      continue;
    }
    std::string name = name_of(names, symbols, ELF64_R_SYM(entry.r_info));
    if (is_numbered) slots.by_number.push_back(name);
    if (!name.empty()) slots.by_address.try_emplace(entry.r_offset, std::move(name));
  }
}

std::uint32_t word_at(std::string_view bytes, std::size_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

/// What a stub at `address` leads to: `jmp *slot(%rip)`, perhaps after endbr64 and with a bnd prefix, or `push number` of a lazy entry that
/// another section jumps through.
std::string target_of(std::string_view code, std::uint64_t address, const Slots& slots) {
  for (std::size_t at = 0; at + 6 <= code.size() && at <= 6; ++at) {
    if (code[at] != '\xff' || code[at + 1] != '\x25') continue;
    const auto displacement = static_cast<std::int32_t>(word_at(code, at + 2));
    const auto slot = slots.by_address.find(address + at + 6 + static_cast<std::uint64_t>(std::int64_t{displacement}));
    if (slot != slots.by_address.end()) return slot->second;
  }
  for (const std::size_t at : {std::size_t{0}, std::size_t{4}}) {
    if (at + 5 > code.size() || code[at] != '\x68') continue;
    const std::uint32_t number = word_at(code, at + 1);
    if (number < slots.by_number.size()) return slots.by_number[number];
  }
  return {};
}

}  // namespace

PltStubs PltStubs::read(const ElfReader& file) {
  PltStubs stubs;
  if (file.machine() != EM_X86_64 || !file.is_64bit()) return stubs;
  Slots slots;
  for (const ElfSection& section : file.sections()) {
    if (section.name == ".rela.plt" || section.name == ".rela.dyn") read_slots(file, section, slots);
  }
  for (const ElfSection& section : file.sections()) {
    if (section.name != ".plt" && section.name != ".plt.sec" && section.name != ".plt.got") continue;
    const std::uint64_t step = section.entry_size == 8 ? 8 : 16;
    if (section.size > kMaxStubs * step || section.address > ~std::uint64_t{0} - section.size) continue;
    const std::string code = file.read(section);
    stubs.sections_.push_back({section.address, section.address + code.size(), step});
    for (std::uint64_t at = 0; at < code.size(); at += step) {
      std::string name = target_of(std::string_view(code).substr(at, step), section.address + at, slots);
      if (!name.empty()) stubs.stubs_[section.address + at] = {section.address + at, std::move(name)};
    }
  }
  return stubs;
}

const PltStubs::Stub* PltStubs::find(std::uint64_t address) const {
  for (const Section& section : sections_) {
    if (address < section.start || address >= section.end) continue;
    const auto stub = stubs_.find(section.start + (address - section.start) / section.step * section.step);
    return stub == stubs_.end() ? nullptr : &stub->second;
  }
  return nullptr;
}

}  // namespace trc::symbols
