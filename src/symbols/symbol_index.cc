#include "symbols/symbol_index.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

namespace trc::symbols {
namespace {

/// A string table up to this size is read at once.
constexpr std::uint64_t kSmallTable = 8 << 20;
constexpr std::uint64_t kChunk = 64 << 10;
/// Longer names are cut: a hostile table could make every symbol share one huge string.
constexpr std::size_t kMaxName = 4096;
/// Several functions may start before an address and have ended; so many are looked at.
constexpr int kLookBack = 32;
/// So many names of one address compete for being shown.
constexpr std::size_t kMaxAliases = 64;

/// Of several names for one function, which is shown: "malloc" rather than "__libc_malloc".
auto rank(const std::string& name) { return std::make_tuple(std::min(name.find_first_not_of('_'), name.size()), std::string_view(name)); }

}  // namespace

SymbolIndex::SymbolIndex(std::shared_ptr<const ElfReader> file, const std::vector<std::shared_ptr<const ElfReader>>& others)
    : file_(std::move(file)) {
  for (const ElfSegment& segment : file_->segments()) {
    if (segment.type != PT_LOAD || (segment.flags & PF_X) == 0 || segment.memory_size > ~segment.address) continue;
    code_.push_back({segment.address, segment.address + segment.memory_size});
  }
  for (const ElfSection& section : file_->sections()) {
    const bool is_code = (section.flags & (SHF_ALLOC | SHF_EXECINSTR)) == (SHF_ALLOC | SHF_EXECINSTR);
    if (is_code && section.size <= ~section.address) sections_.push_back({section.address, section.address + section.size});
  }
  add(file_, SHT_SYMTAB);
  add(file_, SHT_DYNSYM);
  for (const auto& other : others) add(other, SHT_SYMTAB);
  sort();
}

void SymbolIndex::add(const std::shared_ptr<const ElfReader>& file, std::uint32_t section_type) {
  const auto& sections = file->sections();
  const auto in_code = [&](std::uint64_t address) {
    return std::any_of(code_.begin(), code_.end(), [&](const Range& range) { return address >= range.start && address < range.end; });
  };
  for (const ElfSection& section : sections) {
    if (section.type != section_type || section.link >= sections.size() || names_.size() > std::numeric_limits<std::uint8_t>::max()) continue;
    const ElfSection& strings = sections[section.link];
    if (!file->has_bytes(strings)) continue;
    Names names{file, strings.offset, strings.size, {}};
    if (strings.size <= kSmallTable) names = {nullptr, 0, strings.size, {{0, file->read(strings)}}};
    names_.push_back(std::move(names));
    const auto names_index = static_cast<std::uint8_t>(names_.size() - 1);
    file->for_each_symbol(section, [&](const ElfSymbol& symbol) {
      if (symbol.section == SHN_UNDEF || symbol.name == 0) return;
      const bool is_function = symbol.type == STT_FUNC || symbol.type == STT_GNU_IFUNC, is_local = symbol.binding == STB_LOCAL;
      if (!is_function) {
        // A label in hand-written code. Of the segments that hold code only the sections that do count: "_end" is one of these symbols too.
        const bool in_code_section = symbol.section < sections.size() && (sections[symbol.section].flags & SHF_EXECINSTR) != 0;
        if (symbol.type != STT_NOTYPE || !in_code_section) return;
      }
      if (!in_code(symbol.value)) return;
      Kind kind = kLabel;
      if (is_function && symbol.size != 0) kind = is_local ? kSizedLocal : kSizedGlobal;
      else if (is_function) kind = is_local ? kUnsizedLocal : kUnsizedGlobal;
      const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(symbol.size, std::numeric_limits<std::uint32_t>::max()));
      addresses_.push_back(symbol.value);
      entries_.push_back({is_function ? size : 0, symbol.name, names_index, kind});
    });
  }
}

/// By address, then the better kind first. Radix sort on the addresses: a comparing sort of a million and a half took most of the time.
void SymbolIndex::sort() {
  struct Item { std::uint64_t address; Entry entry; };
  std::vector<Item> items(addresses_.size()), other(addresses_.size());
  std::uint64_t used = 0;   // the bits in which addresses differ
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i] = {addresses_[i], entries_[i]};
    used |= addresses_[i] ^ addresses_[0];
  }
  constexpr unsigned kBits = 11;
  for (unsigned shift = 0; shift < 64; shift += kBits) {
    if ((used >> shift & ((1U << kBits) - 1)) == 0) continue;
    std::array<std::size_t, 1 << kBits> place{};
    for (const Item& item : items) ++place[item.address >> shift & ((1U << kBits) - 1)];
    std::size_t sum = 0;
    for (std::size_t& count : place) count = std::exchange(sum, sum + count);
    for (const Item& item : items) other[place[item.address >> shift & ((1U << kBits) - 1)]++] = item;
    items.swap(other);
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    addresses_[i] = items[i].address;
    entries_[i] = items[i].entry;
  }
  for (std::size_t i = 0; i < items.size();) {
    std::size_t end = i + 1;
    while (end < items.size() && addresses_[end] == addresses_[i]) ++end;
    if (end - i > 1) {
      std::stable_sort(entries_.begin() + static_cast<std::ptrdiff_t>(i), entries_.begin() + static_cast<std::ptrdiff_t>(end),
                       [](const Entry& a, const Entry& b) { return a.kind < b.kind; });
    }
    i = end;
  }
  addresses_.shrink_to_fit();
  entries_.shrink_to_fit();
}

/// Do both lie in one section? Without sections, in one segment.
bool SymbolIndex::reaches(std::uint64_t from, std::uint64_t to) const {
  const std::vector<Range>& ranges = sections_.empty() ? code_ : sections_;
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return from >= range.start && to < range.end && from < range.end && to >= range.start; });
}

/// Of the entries from `first` on that begin at the same address, the first that covers `address`.
std::optional<std::uint32_t> SymbolIndex::best_at(std::size_t first, std::uint64_t address) const {
  for (std::size_t i = first; i < entries_.size() && addresses_[i] == addresses_[first] && i < first + kMaxAliases; ++i) {
    if (address - addresses_[i] < entries_[i].size) return static_cast<std::uint32_t>(i);
  }
  return std::nullopt;
}

std::optional<SymbolIndex::Match> SymbolIndex::find(std::uint64_t address) const {
  const auto after = std::upper_bound(addresses_.begin(), addresses_.end(), address);
  auto place = static_cast<std::size_t>(after - addresses_.begin());
  std::optional<std::uint32_t> unsized;
  for (int i = 0; i < kLookBack && place != 0; ++i) {
    --place;
    while (place != 0 && addresses_[place - 1] == addresses_[place]) --place;
    if (const auto entry = best_at(place, address)) return Match{addresses_[*entry], *entry, nullptr};
    // Hand-written code often has no size: it reaches to whatever comes next.
    if (i == 0 && entries_[place].size == 0 && reaches(addresses_[place], address)) unsized = static_cast<std::uint32_t>(place);
  }
  if (!stubs_) stubs_ = PltStubs::read(*file_);
  if (const PltStubs::Stub* stub = stubs_->find(address)) return Match{stub->address, 0, stub};
  if (unsized) return Match{addresses_[*unsized], *unsized, nullptr};
  return std::nullopt;
}

std::string SymbolIndex::read_name(const Entry& entry) const {
  Names& names = names_[entry.names];
  if (entry.name >= names.size) return {};
  std::string name;
  if (!names.file) {
    const std::string& all = names.chunks.begin()->second;
    if (entry.name < all.size()) name = all.substr(entry.name, std::min(all.find('\0', entry.name) - entry.name, kMaxName));
  } else {
    for (std::uint64_t at = entry.name; at < names.size && name.size() < kMaxName;) {
      const auto [chunk, fresh] = names.chunks.try_emplace(at / kChunk);
      if (fresh) chunk->second = names.file->read(names.offset + chunk->first * kChunk, std::min(kChunk, names.size - chunk->first * kChunk));
      if (at % kChunk >= chunk->second.size()) break;
      const std::string_view rest = std::string_view(chunk->second).substr(at % kChunk);
      const std::size_t length = rest.find('\0');
      name += rest.substr(0, length);
      if (length != std::string_view::npos) break;
      at += rest.size();
    }
    name.resize(std::min(name.size(), kMaxName));
  }
  return name.substr(0, name.find('@'));
}

std::string SymbolIndex::name(const Match& match) const {
  if (match.stub != nullptr) return match.stub->name + "@plt";
  std::string best = read_name(entries_[match.entry]);
  for (std::size_t i = match.entry + 1; i < entries_.size() && i < match.entry + kMaxAliases; ++i) {
    if (addresses_[i] != match.address || entries_[i].kind != entries_[match.entry].kind) break;
    std::string other = read_name(entries_[i]);
    if (!other.empty() && (best.empty() || rank(other) < rank(best))) best = std::move(other);
  }
  return best;
}

}  // namespace trc::symbols
