#include "symbols/elf_file.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <tuple>

#include "symbols/debug_file.h"
#include "symbols/elf_reader.h"
#include "symbols/usdt_notes.h"

namespace trc::symbols {
namespace {

/// DT_* strings and flags, read at once because every user of one wants another.
struct DynamicFacts {
  std::vector<std::string> needed;
  std::string soname, rpath, runpath;
  bool is_pie = false;
};

/// A note or string section larger than this is not one.
constexpr std::uint64_t kMaxSmall = 16u << 20;
constexpr std::uint64_t kChunk = 64u << 10;
/// Longer names are cut: a hostile table could make every symbol share one huge string.
constexpr std::size_t kMaxName = 4096;

class ElfFileImpl final : public ElfFile {
 public:
  ElfFileImpl(ElfReader reader, std::string path) : reader_(std::move(reader)), path_(std::move(path)) { read_dynamic(); }

  const std::string& path() const override { return path_; }
  std::uint16_t machine() const override { return reader_.machine(); }
  bool is_64bit() const override { return reader_.is_64bit(); }
  bool is_executable() const override {
    return reader_.type() == ET_EXEC || (reader_.type() == ET_DYN && (dynamic_.is_pie || !interpreter().empty()));
  }
  const std::vector<std::string>& needed() const override { return dynamic_.needed; }
  std::string soname() const override { return dynamic_.soname; }
  std::string rpath() const override { return dynamic_.rpath; }
  std::string runpath() const override { return dynamic_.runpath; }
  std::string build_id() const override { return read_build_id(reader_); }

  std::string interpreter() const override {
    for (const ElfSegment& segment : reader_.segments()) {
      if (segment.type != PT_INTERP) continue;
      const std::string text = reader_.read(segment.offset, std::min<std::uint64_t>(segment.file_size, 4096));
      return text.substr(0, text.find('\0'));
    }
    return "";
  }

  bool is_code(std::uint64_t address) const override {
    const ElfSegment* segment = reader_.segment_of(address);
    return segment && segment->flags & PF_X;
  }

  std::optional<std::uint64_t> file_offset(std::uint64_t address) const override { return reader_.file_offset(address); }
  std::optional<std::uint64_t> virtual_address(std::uint64_t file_offset) const override { return reader_.virtual_address(file_offset); }

  const std::vector<Function>& functions() const override {
    if (!has_functions_) {
      has_functions_ = true;
      read_functions();
    }
    return functions_;
  }

  const Function* find(std::string_view name) const override {
    const Function* found = nullptr;
    for (const Function& function : functions()) {
      if (function.name != name) continue;
      if (!found || (function.is_global && !found->is_global)) found = &function;
    }
    return found;
  }

  const Function* at(std::uint64_t address) const override {
    const auto& all = functions();
    auto after = std::upper_bound(all.begin(), all.end(), address, [](std::uint64_t a, const Function& f) { return a < f.address; });
    if (after == all.begin() || !is_code(address)) return nullptr;
    // The last one that starts at or before the address, by its best name; a nested one may have ended before it, so look further back.
    const Function* without_size = nullptr;
    constexpr int kLookBack = 32;
    auto candidate = after;
    for (int i = 0; i < kLookBack && candidate != all.begin(); ++i) {
      --candidate;
      while (candidate != all.begin() && std::prev(candidate)->address == candidate->address) --candidate;
      if (address - candidate->address < candidate->size) return &*candidate;
      // Hand-written code often has no size: it reaches to whatever comes next.
      if (i == 0 && candidate->size == 0) without_size = &*candidate;
    }
    return without_size;
  }

  std::string_view bytes(std::uint64_t offset, std::size_t size) const override {
    const std::uint64_t number = offset / kChunk, inside = offset % kChunk;
    if (inside + size <= kChunk) {
      const std::string& chunk = chunk_at(number);
      return inside < chunk.size() ? std::string_view(chunk).substr(inside, size) : std::string_view();
    }
    return pieces_.emplace_back(reader_.read(offset, size));
  }

  const std::vector<UsdtNote>& usdt() const override {
    if (!has_usdt_) {
      has_usdt_ = true;
      usdt_ = read_usdt_notes(reader_);
    }
    return usdt_;
  }

 private:
  const std::string& chunk_at(std::uint64_t number) const {
    const auto [place, is_new] = chunks_.try_emplace(number);
    if (is_new) place->second = reader_.read(number * kChunk, kChunk);
    return place->second;
  }

  void read_dynamic() {
    const auto entries = reader_.dynamic();
    std::uint64_t strings_address = 0, strings_size = 0;
    for (const auto& [tag, value] : entries) {
      if (tag == DT_STRTAB) strings_address = value;
      if (tag == DT_STRSZ) strings_size = value;
      if (tag == DT_FLAGS_1) dynamic_.is_pie = value & DF_1_PIE;
    }
    const auto offset = file_offset(strings_address);
    if (!offset) return;
    const std::string strings = reader_.read(*offset, std::min(strings_size, kMaxSmall));
    const auto text = [&](std::uint64_t at) {
      // One path at most; a hostile table could make thousands of entries share one huge string.
      return at < strings.size() ? std::string(strings.c_str() + at).substr(0, 4096) : std::string();
    };
    for (const auto& [tag, value] : entries) {
      if (tag == DT_NEEDED && dynamic_.needed.size() < 4096) dynamic_.needed.push_back(text(value));
      if (tag == DT_SONAME) dynamic_.soname = text(value);
      if (tag == DT_RPATH) dynamic_.rpath = text(value);
      if (tag == DT_RUNPATH) dynamic_.runpath = text(value);
    }
  }

  void read_functions() const {
    add_symbols(reader_, SHT_SYMTAB);
    add_symbols(reader_, SHT_DYNSYM);
    for (const auto& other : other_symbol_files(reader_, {.path = path_})) add_symbols(*other, SHT_SYMTAB);
    const auto rank = [](const Function& f) { return std::make_tuple(f.address, !f.is_global, f.size == 0, f.name, f.is_indirect); };
    std::sort(functions_.begin(), functions_.end(), [&](const Function& a, const Function& b) { return rank(a) < rank(b); });
    // A name stands in both tables, with the same facts but for the version, so its two entries are neighbours.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < functions_.size(); ++i) {
      const bool again = kept != 0 && functions_[kept - 1].address == functions_[i].address && functions_[kept - 1].name == functions_[i].name;
      if (again) functions_[kept - 1].is_exported |= functions_[i].is_exported;
      else functions_[kept++] = functions_[i];
    }
    functions_.resize(kept);
    functions_.shrink_to_fit();
  }

  void add_symbols(const ElfReader& from, std::uint32_t section_type) const {
    const auto& sections = from.sections();
    for (const ElfSection& section : sections) {
      if (section.type != section_type || section.link >= sections.size()) continue;
      const std::vector<ElfSymbol> symbols = from.symbols(section);
      if (symbols.size() <= 1) continue;
      const std::string& names = strings_.emplace_back(from.read(sections[section.link]));
      for (const ElfSymbol& symbol : symbols) {
        const bool is_function = symbol.type == STT_FUNC || symbol.type == STT_GNU_IFUNC;
        if (!is_function || symbol.section == SHN_UNDEF || symbol.name >= names.size() || !is_code(symbol.value)) continue;
        std::string_view name = std::string_view(names).substr(symbol.name);
        name = name.substr(0, std::min(name.find('\0'), kMaxName));
        name = name.substr(0, name.find('@'));
        if (name.empty()) continue;
        functions_.push_back({name, symbol.value, symbol.size, symbol.binding != STB_LOCAL, symbol.type == STT_GNU_IFUNC, section_type == SHT_DYNSYM});
      }
    }
  }

  ElfReader reader_;
  std::string path_;
  DynamicFacts dynamic_;
  mutable std::deque<std::string> strings_;  // string tables that the names of functions_ point into
  mutable std::vector<Function> functions_;
  mutable bool has_functions_ = false, has_usdt_ = false;
  mutable std::vector<UsdtNote> usdt_;
  mutable std::map<std::uint64_t, std::string> chunks_;
  mutable std::deque<std::string> pieces_;
};

}  // namespace

Result<std::shared_ptr<const ElfFile>> ElfFile::open(const std::string& path) {
  TRC_TRY(reader, ElfReader::open(path));
  return std::shared_ptr<const ElfFile>(std::make_shared<ElfFileImpl>(std::move(reader), path));
}

Result<std::shared_ptr<const ElfFile>> ElfFile::from_bytes(std::string bytes, const std::string& path) {
  TRC_TRY(reader, ElfReader::from_bytes(std::move(bytes), path));
  return std::shared_ptr<const ElfFile>(std::make_shared<ElfFileImpl>(std::move(reader), path));
}

Result<std::shared_ptr<const ElfFile>> open_cached(const std::string& path) {
  using Key = std::tuple<dev_t, ino_t, time_t, long, off_t>;
  static std::map<Key, std::weak_ptr<const ElfFile>> open_files;
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return Error::from_errno("open " + path);
  const Key key{st.st_dev, st.st_ino, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_size};
  if (const auto known = open_files.find(key); known != open_files.end()) {
    if (auto file = known->second.lock()) return file;
  }
  TRC_TRY(file, ElfFile::open(path));
  std::erase_if(open_files, [](const auto& entry) { return entry.second.expired(); });
  open_files[key] = file;
  return file;
}

std::string machine_name(std::uint16_t e_machine) {
  struct Row { std::uint16_t machine; const char* name; };
  static constexpr Row kRows[] = {
      {EM_X86_64, "x86-64"}, {EM_386, "i386"},     {EM_AARCH64, "aarch64"}, {EM_ARM, "arm"},     {EM_RISCV, "riscv"}, {EM_S390, "s390x"},
      {EM_PPC64, "ppc64"},   {EM_PPC, "powerpc"},  {EM_MIPS, "mips"},       {EM_SPARCV9, "sparc64"}, {258, "loongarch"},
      {EM_BPF, "bpf"},       {EM_IA_64, "ia64"},
  };
  for (const Row& row : kRows)
    if (row.machine == e_machine) return row.name;
  return fmt::format("machine {}", e_machine);
}

}  // namespace trc::symbols
