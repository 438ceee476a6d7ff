#include "symbols/debug_info.h"

#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/strings.h"
#include "symbols/debug_file.h"
#include "symbols/libdw.h"

namespace trc::symbols {
namespace {

/// Bounds for what a hostile file may claim.
constexpr std::size_t kMaxRanges = 1 << 22;
constexpr int kMaxInlined = 256;
constexpr std::size_t kMaxKnown = 1 << 16;

class DwarfInfo final : public DebugInfo {
 public:
  explicit DwarfInfo(std::unique_ptr<libdw::Loaded> main) : main_(std::move(main)) { read_units(); }

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
    libdw::find_unit(main_->dwarf.get(), [&](Dwarf_Die& die, Dwarf_Off offset) {
      Dwarf_Addr base = 0, start = 0, end = 0;
      for (ptrdiff_t range = 0; units_.size() < kMaxRanges && (range = dw_.dwarf_ranges(&die, range, &base, &start, &end)) > 0;) {
        if (start < end) units_.push_back({start, end, offset});
      }
      return false;
    });
    std::sort(units_.begin(), units_.end(), [](const Unit& a, const Unit& b) { return a.start < b.start; });
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

  const libdw::Functions& dw_ = *libdw::functions();
  std::unique_ptr<libdw::Loaded> main_;
  std::vector<Unit> units_;
  std::unordered_map<std::uint64_t, std::vector<SourcePosition>> known_;
};

}  // namespace

Result<> DebugInfo::check() {
  if (libdw::functions() != nullptr) return {};
  return Error("source lines need libdw, which is not installed").hint("install it (Debian's package is libdw1), or set show_debug_info to false");
}

std::unique_ptr<DebugInfo> DebugInfo::read(const ElfReader& file) {
  auto main = libdw::load(file, libdw::Part::All);
  return main ? std::make_unique<DwarfInfo>(std::move(main)) : nullptr;
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
