#include "probes/function_match.h"

#include <fmt/format.h>

#include "base/glob.h"
#include "base/strings.h"
#include "probes/arch.h"
#include "symbols/symbolizer.h"

namespace trc::probes {
namespace {

using symbols::ElfFile;
using symbols::Function;
using Form = FunctionPattern::Form;

/// Longest x86 instruction; enough for any other architecture.
constexpr std::size_t kInstructionBytes = 15;

/// "ns::f(int)" without "(int)"; the parentheses of operator() and of "(anonymous namespace)" stay.
std::string_view without_parameters(std::string_view demangled) {
  if (!demangled.ends_with(')') && demangled.rfind(") const") == std::string_view::npos) return demangled;
  int depth = 0;
  for (std::size_t i = demangled.rfind(')') + 1; i-- > 0;) {
    if (demangled[i] == ')') ++depth;
    if (demangled[i] == '(' && --depth == 0) return i == 0 ? demangled : demangled.substr(0, i);
  }
  return demangled;
}

/// "doubled<int>" of "int doubled<int>": demangled template functions start with what they return. What follows "operator" may have blanks.
std::string_view without_return_type(std::string_view demangled) {
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < demangled.size(); ++i) {
    const std::string_view rest = demangled.substr(i);
    const bool starts_word = i == 0 || demangled[i - 1] == ' ' || demangled[i - 1] == ':';
    if (depth == 0 && starts_word && rest.starts_with("operator") && !(rest.size() > 8 && is_identifier_char(rest[8]))) break;
    if (rest.starts_with("->")) ++i;
    else if (rest[0] == '<' || rest[0] == '(' || rest[0] == '[' || rest[0] == '{') ++depth;
    else if (rest[0] == '>' || rest[0] == ')' || rest[0] == ']' || rest[0] == '}') --depth;
    else if (rest[0] == ' ' && depth == 0) begin = i + 1;
  }
  return demangled.substr(begin);
}

bool is_mangled(std::string_view name) { return name.starts_with("_Z") || name.starts_with("_R"); }

bool text_matches(const FunctionPattern& pattern, std::string_view text) {
  return pattern.form == Form::Wildcard ? glob_match(pattern.text, text) : pattern.text == text;
}

bool name_matches(const FunctionPattern& pattern, std::string_view name) {
  if (!pattern.is_demangled && text_matches(pattern, name)) return true;
  const bool try_demangled = pattern.is_demangled || (pattern.form == Form::Wildcard && is_mangled(name));
  if (!try_demangled) return false;
  const std::string demangled = symbols::demangle(name);
  const std::string_view bare = without_parameters(demangled);
  const std::string_view wanted = pattern.text.find('(') != std::string::npos ? std::string_view(demangled) : bare;
  if (text_matches(pattern, wanted)) return true;
  const std::size_t type = bare.size() - without_return_type(bare).size();
  return type != 0 && text_matches(pattern, wanted.substr(type));
}

/// All names of one address; `first` is the best one.
struct Place {
  std::vector<Function>::const_iterator first, end;
  bool is_exported() const {
    for (auto f = first; f != end; ++f)
      if (f->is_exported) return true;
    return false;
  }
  bool is_indirect() const {
    for (auto f = first; f != end; ++f)
      if (f->is_indirect) return true;
    return false;
  }
  /// Labels without a size that only their own object file sees, such as register_tm_clones: helpers, not functions. Hand-written
  /// functions that forget their size are global.
  bool is_helper() const {
    for (auto f = first; f != end; ++f)
      if (f->size != 0 || f->is_global) return false;
    return true;
  }
};

bool is_probeable(const ElfFile& elf, std::uint64_t file_offset) {
  return native_arch().is_probeable(elf.bytes(file_offset, kInstructionBytes));
}

FunctionMatches match_by_name(const ElfFile& elf, const FunctionPattern& pattern) {
  FunctionMatches matches;
  const std::vector<Function>& all = elf.functions();
  const bool is_wildcard = pattern.form == Form::Wildcard;
  for (auto first = all.begin(); first != all.end();) {
    Place place{first, first};
    while (place.end != all.end() && place.end->address == first->address) ++place.end;
    first = place.end;
    auto named = place.first;
    while (named != place.end && !name_matches(pattern, named->name)) ++named;
    if (named == place.end || (is_wildcard && place.is_helper())) continue;
    if (pattern.exported_only && !place.is_exported()) continue;
    const auto offset = elf.file_offset(named->address);
    if (!offset) continue;
    const bool is_indirect = place.is_indirect();
    if (is_wildcard && (is_indirect || !is_probeable(elf, *offset))) {
      ++matches.skipped;
      continue;
    }
    matches.sites.push_back({named->address, *offset, named->name, 0, is_indirect});
  }
  return matches;
}

/// A breakpoint inside an instruction would change what the program does. The instructions are counted through from the function's start.
Result<> check_boundary(const ElfFile& elf, const FunctionSite& site) {
  const std::uint64_t start = site.file_offset - site.offset;
  std::uint64_t at = 0;
  while (at < site.offset) {
    const std::size_t length = native_arch().instruction_length(elf.bytes(start + at, kInstructionBytes));
    if (length == 0) {
      return Error(fmt::format("Could not determine instruction boundary: {}:{}+{}", elf.path(), site.function, site.offset))
          .hint(fmt::format("trc does not know the instruction at {}+{}; --unsafe probes the address all the same", site.function, at));
    }
    at += length;
  }
  if (at == site.offset) return {};
  return Error(fmt::format("Could not add uprobe into middle of instruction: {}:{}+{}", elf.path(), site.function, site.offset))
      .hint(fmt::format("the next instruction begins at {}+{}", site.function, at));
}

Result<FunctionMatches> match_offset(const ElfFile& elf, const FunctionPattern& pattern) {
  FunctionMatches matches = match_by_name(elf, pattern);
  for (FunctionSite& site : matches.sites) {
    // The whole function, by its longest name at that place.
    std::uint64_t size = 0;
    for (const Function& function : elf.functions())
      if (function.address == site.address && function.size > size) size = function.size;
    if (size != 0 && pattern.number >= size) {
      return Error(fmt::format("offset {} lies outside of function {}, which has {} bytes", pattern.number, site.function, size));
    }
    site.address += pattern.number;
    site.offset = pattern.number;
    const auto offset = elf.is_code(site.address) ? elf.file_offset(site.address) : std::nullopt;
    if (!offset) return Error(fmt::format("{}+{} lies outside of the code", site.function, pattern.number));
    site.file_offset = *offset;
    if (!pattern.any_offset) TRC_CHECK(check_boundary(elf, site));
  }
  return matches;
}

Result<FunctionMatches> match_address(const ElfFile& elf, const FunctionPattern& pattern) {
  const auto offset = elf.is_code(pattern.number) ? elf.file_offset(pattern.number) : std::nullopt;
  if (!offset) {
    return Error(fmt::format("address {:#x} is not in the code of {}", pattern.number, elf.path()))
        .hint("give a virtual address of the file, as nm or objdump -d show it");
  }
  FunctionMatches matches;
  FunctionSite site{pattern.number, *offset, "", 0, false};
  if (const Function* function = elf.at(pattern.number)) {
    site.function = function->name;
    site.offset = pattern.number - function->address;
    if (!pattern.any_offset) TRC_CHECK(check_boundary(elf, site));
  }
  matches.sites.push_back(site);
  return matches;
}

Result<FunctionMatches> match_form(const ElfFile& elf, const FunctionPattern& pattern) {
  switch (pattern.form) {
    case Form::Name:
    case Form::Wildcard: return match_by_name(elf, pattern);
    case Form::Offset: return match_offset(elf, pattern);
    case Form::Address: return match_address(elf, pattern);
  }
  return FunctionMatches();
}

}  // namespace

FunctionPattern parse_function(std::string_view text, bool is_demangled) {
  FunctionPattern pattern{.text = std::string(text), .is_demangled = is_demangled};
  if (has_glob(text)) {
    pattern.form = Form::Wildcard;
    return pattern;
  }
  if (is_demangled) return pattern;
  if (const auto address = parse_unsigned(text)) {
    pattern.form = Form::Address;
    pattern.number = *address;
  } else if (const std::size_t plus = text.rfind('+'); plus != std::string_view::npos && plus > 0) {
    if (const auto offset = parse_unsigned(text.substr(plus + 1))) {
      pattern.form = Form::Offset;
      pattern.text = text.substr(0, plus);
      pattern.number = *offset;
    }
  }
  return pattern;
}

Result<FunctionMatches> match_functions(const ElfFile& elf, const FunctionPattern& pattern) {
  TRC_TRY(matches, match_form(elf, pattern));
  if (pattern.form == Form::Wildcard) return matches;
  for (const FunctionSite& site : matches.sites) {
    if (is_probeable(elf, site.file_offset)) continue;
    return Error(fmt::format("the kernel cannot probe {} at {:#x}: it refuses the instruction there", pattern.text, site.address))
        .hint("probe a later instruction of the function: NAME+OFFSET");
  }
  return matches;
}

}  // namespace trc::probes
