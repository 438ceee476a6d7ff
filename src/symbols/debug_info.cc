#include "symbols/debug_info.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fmt/format.h>
#include <libelf.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/owned.h"
#include "base/strings.h"
#include "symbols/debug_file.h"

namespace trc::symbols {
namespace {

/// Bounds for what a hostile file may claim.
constexpr std::size_t kMaxUnits = 1 << 20, kMaxRanges = 1 << 22;
constexpr int kMaxInlined = 256;
constexpr std::size_t kMaxKnown = 1 << 16;

/// The functions of libdw in use.
#define TRC_DW_FUNCTIONS(F)                                                                                                     \
  F(dwarf_begin_elf) F(dwarf_end) F(dwarf_nextcu) F(dwarf_offdie) F(dwarf_ranges) F(dwarf_getsrc_die) F(dwarf_linesrc) F(dwarf_lineno) \
  F(dwarf_getscopes) F(dwarf_getscopes_die) F(dwarf_tag) F(dwarf_attr) F(dwarf_attr_integrate) F(dwarf_formstring)               \
  F(dwarf_formudata) F(dwarf_getsrcfiles) F(dwarf_filesrc) F(dwarf_setalt) F(dwelf_dwarf_gnu_debugaltlink)                \
  F(dwarf_getsrclines) F(dwarf_onesrcline) F(dwarf_linecol) F(dwarf_linebeginstatement) F(dwarf_lineendsequence) F(dwarf_lineaddr)

struct Library {
#define TRC_DW_MEMBER(name) decltype(&::name) name = nullptr;
  TRC_DW_FUNCTIONS(TRC_DW_MEMBER)
#undef TRC_DW_MEMBER
};

/// Loaded once and kept; null if it is not there.
const Library* library() {
  static const std::optional<Library> kLibrary = []() -> std::optional<Library> {
    void* handle = ::dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return std::nullopt;
    Library functions;
    bool complete = true;
    const auto load = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
      complete &= function != nullptr;
    };
#define TRC_DW_LOAD(name) load(functions.name, #name);
    TRC_DW_FUNCTIONS(TRC_DW_LOAD)
#undef TRC_DW_LOAD
    return complete ? std::optional(functions) : std::nullopt;
  }();
  return kLibrary ? &*kLibrary : nullptr;
}

using ElfHandle = Owned<Elf*, ::elf_end, static_cast<Elf*>(nullptr)>;
void end_dwarf(Dwarf* dwarf) { library()->dwarf_end(dwarf); }
using DwarfHandle = Owned<Dwarf*, end_dwarf, static_cast<Dwarf*>(nullptr)>;

/// Debug information in memory. Members are destroyed last to first, as they refer to each other.
struct Loaded {
  std::string bytes;
  ElfHandle elf;
  DwarfHandle dwarf;
};

std::unique_ptr<Loaded> load(const ElfReader& file) {
  if (file.section(".debug_info") == nullptr) return nullptr;
  auto loaded = std::make_unique<Loaded>();
  loaded->bytes = file.read(0, file.size());
  if (loaded->bytes.size() != file.size()) return nullptr;
  ::elf_version(EV_CURRENT);
  loaded->elf = ElfHandle(::elf_memory(loaded->bytes.data(), loaded->bytes.size()));
  if (!loaded->elf) return nullptr;
  loaded->dwarf = DwarfHandle(library()->dwarf_begin_elf(loaded->elf.get(), DWARF_C_READ, nullptr));
  return loaded->dwarf ? std::move(loaded) : nullptr;
}

class DwarfInfo final : public DebugInfo {
 public:
  DwarfInfo(std::unique_ptr<Loaded> main, std::unique_ptr<Loaded> shared) : shared_(std::move(shared)), main_(std::move(main)) { read_units(); }

  std::vector<SourcePosition> at(std::uint64_t address) override {
    const auto known = known_.find(address);
    if (known != known_.end()) return known->second;
    if (known_.size() >= kMaxKnown) known_.clear();
    return known_[address] = look_up(address);
  }

  Result<std::uint64_t> address_of(const SourceLine& wanted) override {
    std::set<Dwarf_Off> offsets;
    for (const Unit& unit : units_) offsets.insert(unit.offset);
    std::map<std::string, std::vector<Dwarf_Die>> matching;   // by the unit's source file
    for (const Dwarf_Off offset : offsets) {
      Dwarf_Die unit;
      if (dw_.dwarf_offdie(main_->dwarf.get(), offset, &unit) == nullptr) continue;
      const std::string source = source_of(unit);
      if (ends_with_path(source, wanted.file)) matching[source].push_back(unit);
    }
    if (matching.empty()) return Error(fmt::format("No compilation unit matches {}", wanted.file));
    if (matching.size() > 1) {
      std::vector<std::string> names;
      for (const auto& [source, units] : matching) names.push_back(source);
      return Error(fmt::format("Ambiguous source path, matches multiple files: {}", join(names, ", "))).hint("write more of the path");
    }
    const std::string& source = matching.begin()->first;
    unsigned nearest = 0;
    for (Dwarf_Die& unit : matching.begin()->second) {
      if (const auto address = line_in(unit, source, wanted, nearest)) return *address;
    }
    Error error(fmt::format("Unable to map '{}:{}' to address", wanted.file, wanted.line));
    if (nearest == 0) return error;
    return std::move(error).hint(fmt::format("no statement begins there; the next line with code is {}", nearest));
  }

 private:
  /// "a/b.c" and "b.c" are the end of "/src/a/b.c"; "./b.c" is none.
  static bool ends_with_path(std::string_view path, std::string_view end) {
    if (end.empty() || !path.ends_with(end)) return false;
    return path.size() == end.size() || path[path.size() - end.size() - 1] == '/';
  }

  /// The source file of a unit, from its folder where that is known.
  std::string source_of(Dwarf_Die& unit) const {
    const auto text = [&](unsigned name) -> std::string {
      Dwarf_Attribute attribute;
      const char* found = dw_.dwarf_attr(&unit, name, &attribute) != nullptr ? dw_.dwarf_formstring(&attribute) : nullptr;
      return found != nullptr ? found : "";
    };
    const std::string name = text(DW_AT_name), folder = text(DW_AT_comp_dir);
    return std::filesystem::path(name.starts_with('/') || folder.empty() ? name : folder + "/" + name).lexically_normal();
  }

  /// `nearest` becomes the first line behind the wanted one that has code, if it is nearer than what it was.
  std::optional<std::uint64_t> line_in(Dwarf_Die& unit, const std::string& source, const SourceLine& wanted, unsigned& nearest) const {
    Dwarf_Lines* lines = nullptr;
    std::size_t count = 0;
    if (dw_.dwarf_getsrclines(&unit, &lines, &count) != 0) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
      Dwarf_Line* line = dw_.dwarf_onesrcline(lines, i);
      int number = 0, column = 0;
      bool begins = false, ends = true;
      Dwarf_Addr address = 0;
      if (line == nullptr || dw_.dwarf_lineno(line, &number) != 0 || dw_.dwarf_linebeginstatement(line, &begins) != 0 ||
          dw_.dwarf_lineendsequence(line, &ends) != 0 || dw_.dwarf_lineaddr(line, &address) != 0 || !begins || ends || number <= 0) continue;
      if (static_cast<unsigned>(number) < wanted.line) continue;
      const char* file = dw_.dwarf_linesrc(line, nullptr, nullptr);
      if (file == nullptr || !ends_with_path(source, std::filesystem::path(file).lexically_normal().string())) continue;   // may be relative
      if (static_cast<unsigned>(number) > wanted.line) {
        if (nearest == 0 || static_cast<unsigned>(number) < nearest) nearest = static_cast<unsigned>(number);
        continue;
      }
      if (wanted.column != 0 && (dw_.dwarf_linecol(line, &column) != 0 || static_cast<unsigned>(column) != wanted.column)) continue;
      return address;
    }
    return std::nullopt;
  }

  struct Unit { std::uint64_t start, end; Dwarf_Off offset; };

  /// Which unit holds which code. Not by .debug_aranges: not every compiler writes them.
  void read_units() {
    Dwarf_Off at = 0, next = 0;
    std::size_t header_size = 0;
    for (std::size_t count = 0; count < kMaxUnits && dw_.dwarf_nextcu(main_->dwarf.get(), at, &next, &header_size, nullptr, nullptr, nullptr) == 0; ++count) {
      const Dwarf_Off offset = at + header_size;
      if (next <= at) break;
      at = next;
      Dwarf_Die die;
      if (dw_.dwarf_offdie(main_->dwarf.get(), offset, &die) == nullptr || is_split(die)) continue;
      Dwarf_Addr base = 0, start = 0, end = 0;
      for (ptrdiff_t range = 0; units_.size() < kMaxRanges && (range = dw_.dwarf_ranges(&die, range, &base, &start, &end)) > 0;) {
        if (start < end) units_.push_back({start, end, offset});
      }
    }
    std::sort(units_.begin(), units_.end(), [](const Unit& a, const Unit& b) { return a.start < b.start; });
  }

  /// The rest of such a unit is in a file that libdw would open by itself, by a name that may be anything.
  bool is_split(Dwarf_Die& unit) const {
    Dwarf_Attribute attribute;
    return dw_.dwarf_attr(&unit, DW_AT_dwo_name, &attribute) != nullptr || dw_.dwarf_attr(&unit, DW_AT_GNU_dwo_name, &attribute) != nullptr;
  }

  std::vector<SourcePosition> look_up(std::uint64_t address) {
    auto after = std::upper_bound(units_.begin(), units_.end(), address, [](std::uint64_t a, const Unit& unit) { return a < unit.start; });
    if (after == units_.begin() || address >= std::prev(after)->end) return {};
    Dwarf_Die unit;
    if (dw_.dwarf_offdie(main_->dwarf.get(), std::prev(after)->offset, &unit) == nullptr) return {};
    SourcePosition here;
    if (Dwarf_Line* line = dw_.dwarf_getsrc_die(&unit, address)) {
      int number = 0;
      if (dw_.dwarf_lineno(line, &number) == 0 && number > 0) here.line = static_cast<unsigned>(number);
      if (const char* file = dw_.dwarf_linesrc(line, nullptr, nullptr)) here.file = file;
    }
    std::vector<SourcePosition> positions;
    add_inlined(unit, address, here, positions);
    if (positions.empty() && here.file.empty()) return {};
    positions.push_back(here);
    return positions;
  }

  /// Appends the inlined functions around an address; `here` becomes the place of the outermost call.
  void add_inlined(Dwarf_Die& unit, std::uint64_t address, SourcePosition& here, std::vector<SourcePosition>& positions) {
    // The scopes of an address lead into the definition of an inlined function; those of the innermost entry are what lies around it.
    const Scopes of_address = scopes([&](Dwarf_Die** found) { return dw_.dwarf_getscopes(&unit, address, found); });
    if (of_address.count == 0) return;
    const Scopes around = scopes([&](Dwarf_Die** found) { return dw_.dwarf_getscopes_die(&of_address.dies.get()[0], found); });
    for (int i = 0; i < around.count && i < kMaxInlined; ++i) {
      Dwarf_Die* die = &around.dies.get()[i];
      const int tag = dw_.dwarf_tag(die);
      if (tag == DW_TAG_subprogram) return;
      if (tag != DW_TAG_inlined_subroutine) continue;
      here.function = name_of(die);
      positions.push_back(here);
      here = {};
      here.line = static_cast<unsigned>(std::min<std::uint64_t>(number(die, DW_AT_call_line), std::numeric_limits<unsigned>::max()));
      here.file = file_of(unit, number(die, DW_AT_call_file));
    }
  }

  struct Scopes {
    int count = 0;
    std::unique_ptr<Dwarf_Die, decltype(&std::free)> dies{nullptr, &std::free};
  };
  template <class Find>
  static Scopes scopes(Find find) {
    Scopes scopes;
    Dwarf_Die* found = nullptr;
    scopes.count = std::max(find(&found), 0);
    scopes.dies.reset(found);
    return scopes;
  }

  std::uint64_t number(Dwarf_Die* die, unsigned name) const {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dw_.dwarf_attr(die, name, &attribute) == nullptr || dw_.dwarf_formudata(&attribute, &value) != 0) return 0;
    return value;
  }

  std::string file_of(Dwarf_Die& unit, std::uint64_t index) const {
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (dw_.dwarf_getsrcfiles(&unit, &files, &count) != 0 || index >= count) return {};
    const char* file = dw_.dwarf_filesrc(files, index, nullptr, nullptr);
    return file != nullptr ? file : "";
  }

  std::string name_of(Dwarf_Die* die) const {
    for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name}) {
      Dwarf_Attribute attribute;
      if (dw_.dwarf_attr_integrate(die, name, &attribute) == nullptr) continue;
      if (const char* text = dw_.dwarf_formstring(&attribute)) return text;
    }
    return "??";
  }

  const Library& dw_ = *library();
  std::unique_ptr<Loaded> shared_, main_;   // main_ refers to shared_
  std::vector<Unit> units_;
  std::unordered_map<std::uint64_t, std::vector<SourcePosition>> known_;
};

/// The file that several debug files share parts in (.gnu_debugaltlink, made by dwz); null if it is not there. libdw would look for it
/// itself, by a name that may be anything, and map it.
std::unique_ptr<Loaded> load_shared(const std::string& build_id) {
  if (build_id.size() < 3) return nullptr;
  const auto file = ElfReader::open(fmt::format("/usr/lib/debug/.build-id/{}/{}.debug", build_id.substr(0, 2), build_id.substr(2)));
  return file && read_build_id(*file) == build_id ? load(*file) : nullptr;
}

}  // namespace

Result<> DebugInfo::check() {
  if (library() != nullptr) return {};
  return Error("source lines need libdw, which is not installed").hint("install it (Debian's package is libdw1), or set show_debug_info to false");
}

std::unique_ptr<DebugInfo> DebugInfo::read(const ElfReader& file) {
  if (library() == nullptr) return nullptr;
  auto main = load(file);
  if (!main) return nullptr;
  const char* name = nullptr;
  const void* id = nullptr;
  std::unique_ptr<Loaded> shared;
  if (const ssize_t size = library()->dwelf_dwarf_gnu_debugaltlink(main->dwarf.get(), &name, &id); size != 0) {
    std::string build_id;
    for (ssize_t i = 0; i < size; ++i) build_id += fmt::format("{:02x}", static_cast<const unsigned char*>(id)[i]);
    shared = load_shared(build_id);
    if (!shared) return nullptr;
    library()->dwarf_setalt(main->dwarf.get(), shared->dwarf.get());
  }
  return std::make_unique<DwarfInfo>(std::move(main), std::move(shared));
}

Result<std::uint64_t> find_source_line(const std::string& path, const SourceLine& wanted) {
  TRC_CHECK(DebugInfo::check());
  TRC_TRY(file, ElfReader::open(path));
  auto info = DebugInfo::read(file);
  if (!info) {
    if (const std::string other = find_debug_file(file, {.path = path}); !other.empty()) {
      if (const auto debug_file = ElfReader::open(other)) info = DebugInfo::read(*debug_file);
    }
  }
  if (!info) return Error(fmt::format("{} has no debug information, so its source lines are not known", path)).hint("install it, or compile with -g");
  return info->address_of(wanted);
}

}  // namespace trc::symbols
