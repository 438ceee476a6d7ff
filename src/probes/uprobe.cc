// uprobe and uretprobe: entry and return of functions in ELF files, and single instructions.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/glob.h"
#include "base/strings.h"
#include "probes/arch.h"
#include "probes/debug_arguments.h"
#include "probes/forms.h"
#include "probes/function_match.h"
#include "probes/registry.h"
#include "probes/user_files.h"
#include "symbols/debug_info.h"

namespace trc::probes {
namespace {

using Form = FunctionPattern::Form;

/// What the fields of a target say. They are [function], [file, function], [file, "cpp", name] or [file@source, line] with a column or not.
struct Parts {
  std::string file;
  FunctionPattern pattern;
  std::optional<symbols::SourceLine> line;
};

bool is_number(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

std::optional<symbols::SourceLine> source_line(const std::vector<std::string>& fields) {
  if (fields.size() < 2 || fields.size() > 3 || !is_number(fields[1]) || (fields.size() == 3 && !is_number(fields[2]))) return std::nullopt;
  const std::size_t at = fields[0].find('@');
  if (at == std::string::npos) return std::nullopt;
  const auto number = [](const std::string& text) { return static_cast<unsigned>(std::strtoul(text.c_str(), nullptr, 10)); };
  return symbols::SourceLine{fields[0].substr(at + 1), number(fields[1]), fields.size() == 3 ? number(fields[2]) : 0};
}

Parts parts_of(const Target& target) {
  Parts parts;
  if (auto line = source_line(target.fields)) {
    parts.file = target.fields[0].substr(0, target.fields[0].find('@'));
    parts.line = std::move(line);
    parts.pattern.form = Form::Address;
    return parts;
  }
  if (target.fields.size() > 1) parts.file = target.fields.front();
  parts.pattern = parse_function(target.fields.back(), target.fields.size() == 3);
  return parts;
}

/// Matches in one file.
struct FileMatches {
  UserFile file;
  FunctionMatches found;
};

struct Matches {
  std::vector<FileMatches> files;  // those with sites
  std::optional<Deferred> deferred;
  std::vector<std::string> notes;
  std::size_t skipped = 0;
};

/// "a, b and c" of near function names, C++ ones left out.
std::string near_functions(const UserFiles& resolved, const std::string& name) {
  std::vector<std::string> names;
  constexpr std::size_t kMaxNames = 50'000;
  for (const UserFile& file : resolved.files) {
    for (const symbols::Function& function : file.elf->functions()) {
      const std::size_t length = function.name.size();
      if (names.size() < kMaxNames && length <= name.size() + 3 && length + 3 >= name.size()) names.emplace_back(function.name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return did_you_mean(name, names);
}

class UserFunction final : public Provider {
 public:
  constexpr UserFunction(std::string_view name, const std::string_view& alias, bool is_return, std::string_view doc, std::string_view example)
      : name_(name), aliases_(&alias, 1), is_return_(is_return), doc_(doc), example_(example) {}

  std::string_view name() const override { return name_; }
  std::span<const std::string_view> aliases() const override { return aliases_; }
  PidScope pid_scope() const override { return PidScope::Attach; }
  bool newest_runs_first() const override { return true; }
  std::string_view doc() const override { return doc_; }
  std::string_view example() const override { return example_; }

  Result<Target> parse(const std::vector<std::string>& fields) const override {
    if (fields.empty() || fields.size() > 3) return wrong_field_count(*this, "2 arguments", fields.size());
    if (fields.size() == 1 && fields[0].find('/') != std::string::npos) return wrong_field_count(*this, "2 arguments", 1);
    const bool is_line = source_line(fields).has_value();
    if (is_line && is_return_) return Error("uretprobe fires when a function returns, so it takes no source line").hint("use uprobe to probe a line");
    if (fields.size() == 3 && fields[1] != "cpp" && !is_line) {
      return Error(fmt::format("'{}' is not a language of {} targets", fields[1], name_))
          .hint(fmt::format("write {}:FILE:cpp:\"NAME\", or quote a name that has ':' in it", name_));
    }
    if (fields.back().empty()) return Error(fmt::format("{} needs the name of a function", name_)).hint(fmt::format("for example {}", example_));
    if (fields.size() > 1 && fields[0].empty()) return Error(fmt::format("{} needs a file", name_)).hint(fmt::format("for example {}", example_));
    Target target{std::string(name_), fields, canonical_text(name_, fields)};
    if (is_return_ && parts_of(target).pattern.form == Form::Offset) {
      return Error("uretprobe fires when a function returns, so it takes no offset").hint("use uprobe to probe an instruction");
    }
    return target;
  }

  Result<Target> parse_pattern(const std::vector<std::string>& fields) const override {
    std::vector<std::string> pattern = fields;
    if (pattern.empty()) pattern.emplace_back("*");
    if (pattern.size() == 1 && pattern[0].find('/') != std::string::npos) pattern.emplace_back("*");
    return parse(pattern);
  }

  Result<std::vector<ContextGroup>> contexts(const Target& target, const kernel::Facts&, const Scope& scope, bool) const override {
    TRC_TRY(matches, find(target, scope));
    lang::Context found = context();
    const Form form = parts_of(target).pattern.form;
    const bool is_function = form == Form::Name || form == Form::Wildcard;
    found.at_entry = !is_return_ && is_function;
    found.facts = is_function ? facts_of(matches) : no_function_facts("that needs a probe on the beginning of a function");
    return single_group(std::move(found), target);
  }

  Result<Expansion> expand(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    TRC_TRY(matches, find(target, scope));
    Expansion expansion;
    expansion.deferred = std::move(matches.deferred);
    expansion.notes = std::move(matches.notes);
    expansion.skipped = matches.skipped;
    for (const FileMatches& match : matches.files) {
      UserProbes probes;
      probes.path = match.file.path;
      probes.is_return = is_return_;
      probes.pid = scope.attach_pid();
      for (const FunctionSite& site : match.found.sites) {
        const bool is_line = parts_of(target).line.has_value();
        std::string name = is_line ? canonical_text(name_, {match.file.path, std::to_string(site.address)}) : site_name(match.file, site);
        probes.sites.push_back({site.file_offset, 0, std::move(name), std::string(site.function)});
      }
      expansion.specs.push_back({target.text, std::move(probes)});
    }
    return expansion;
  }

  bool wants_exec(const Target& target, const std::string& exe, const std::vector<std::string>& names) const override {
    return user_files_want_exec(parts_of(target).file, exe, names);
  }

  Result<std::vector<std::string>> list(const Target& target, const kernel::Facts&, const Scope& scope) const override {
    const Parts parts = parts_of(target);
    TRC_TRY(resolved, resolve_user_files(name_, parts.file, scope));
    std::vector<std::string> names;
    for (const UserFile& file : resolved.files) {
      TRC_TRY(found, match_functions(*file.elf, parts.pattern));
      for (const FunctionSite& site : found.sites) names.push_back(site_name(file, site));
    }
    return names;
  }

 private:
  lang::Context context() const {
    lang::Context context;
    context.kind = lang::ProgramKind::UserProbe;
    context.space = lang::AddressSpace::User;
    context.has_registers = true;
    context.has_function = true;
    const Arch& arch = native_arch();
    const lang::Type word = lang::make_uint64();
    if (is_return_) {
      context.return_value = lang::ContextValue{"", word, lang::RegisterSource{arch.return_register}, ""};
      context.why_no_args = "uretprobe has retval; the arguments are gone when a function returns";
    } else {
      for (std::uint16_t offset : arch.argument_registers) context.positional.push_back({"", word, lang::RegisterSource{offset}, ""});
    }
    return context;
  }

  static std::shared_ptr<lang::FunctionFacts> facts_of(const Matches& matches) {
    if (matches.deferred) return no_function_facts("the file is not known before the command executes it; name it by its path, or use arg0, arg1, …");
    std::vector<FunctionPlace> functions;
    for (const FileMatches& match : matches.files) {
      for (const FunctionSite& site : match.found.sites) functions.emplace_back(match.file.path, site.address);
    }
    return make_function_facts(std::move(functions));
  }

  std::string site_name(const UserFile& file, const FunctionSite& site) const {
    std::string function(site.function);
    if (function.empty()) function = fmt::format("{:#x}", site.address);
    else if (site.offset != 0) function += fmt::format("+{}", site.offset);
    return canonical_text(name_, {file.path, function});
  }

  Result<Matches> find(const Target& target, const Scope& scope) const {
    const Parts parts = parts_of(target);
    TRC_TRY(resolved, resolve_user_files(name_, parts.file, scope));
    Matches matches;
    matches.notes = std::move(resolved.notes);
    if (resolved.deferred) {
      matches.deferred = std::move(resolved.deferred);
      return matches;
    }
    for (const UserFile& file : resolved.files) {
      // A virtual address belongs to the file that was named, not to its libraries.
      if (parts.pattern.form == Form::Address && &file != &resolved.files.front()) break;
      FunctionPattern pattern = parts.pattern;
      pattern.any_offset = scope.unsafe;
      if (parts.line) {
        TRC_TRY(address, symbols::find_source_line(file.path, *parts.line));
        pattern.number = address;
        pattern.any_offset = true;   // the compiler says that a statement begins there
      }
      // "Every function of the program" is what its library offers. With the internal helpers that a full symbol table adds, which run
      // millions of times a second, the program would stand still; any narrower pattern, or the library's path, reaches them.
      pattern.exported_only = resolved.is_program && &file != &resolved.files.front() && pattern.text == "*";
      TRC_TRY(found, match_functions(*file.elf, pattern));
      matches.skipped += found.skipped;
      for (const FunctionSite& site : found.sites) {
        if (!site.is_indirect) continue;
        matches.notes.push_back(fmt::format("{} in {} is an indirect function (IFUNC): the probe fires when the loader chooses the code, not "
                                            "at each call",
                                            site.function, file.path));
      }
      if (!found.sites.empty()) matches.files.push_back({file, std::move(found)});
    }
    if (matches.files.empty()) return no_match(target, parts, resolved, matches.skipped);
    add_notes(parts, resolved, matches);
    return matches;
  }

  /// What a bare name came to, and what a launcher named by path leaves out.
  static void add_notes(const Parts& parts, const UserFiles& resolved, Matches& matches) {
    if (parts.pattern.form != Form::Wildcard) return;
    if (resolved.is_program && resolved.files.size() > 1) {
      std::string note = parts.file + ":";
      for (const UserFile& file : resolved.files) {
        std::size_t count = 0;
        for (const FileMatches& match : matches.files)
          if (match.file.path == file.path) count = match.found.sites.size();
        const char* unit = &file == &resolved.files.front() ? (count == 1 ? " function" : " functions") : "";
        note += fmt::format("{} {}{} in {}", &file == &resolved.files.front() ? "" : ",", with_thousands(count), unit, file.path);
      }
      matches.notes.push_back(std::move(note));
    }
    if (!resolved.is_program && !resolved.is_mapped) {
      if (std::string hint = launcher_hint(resolved.files.front(), matches.files.front().found.sites.size()); !hint.empty()) {
        matches.notes.push_back(std::move(hint));
      }
    }
  }

  /// Empty unless the file has next to no functions and links a library of its own name.
  static std::string launcher_hint(const UserFile& file, std::size_t functions) {
    constexpr std::size_t kFew = 20;
    if (functions > kFew || file.elf->functions().size() > 2 * kFew) return "";
    const std::string library = launcher_library(file);
    if (library.empty()) return "";
    const std::string name = file.path.substr(file.path.rfind('/') + 1);
    return fmt::format("{} is a launcher whose code is in {}; the bare name '{}' means both", file.path, library, name);
  }

  Error no_match(const Target& target, const Parts& parts, const UserFiles& resolved, std::size_t skipped) const {
    std::vector<std::string> paths;
    bool has_functions = false;
    for (const UserFile& file : resolved.files) {
      paths.push_back(file.path);
      has_functions |= !file.elf->functions().empty();
    }
    const std::string where = resolved.is_mapped ? fmt::format("the {} mapped files of the process", paths.size()) : join(paths, ", ");
    Error error(fmt::format("No matches for {}: no such function in {}", target.text, where));
    if (skipped != 0) {
      return Error(fmt::format("No matches for {}: the kernel cannot probe the {} functions in {}", target.text, skipped, where));
    }
    if (!has_functions) return std::move(error).hint("it has no symbols (stripped): install its debug symbols, or probe an address");
    if (!resolved.is_program && !resolved.is_mapped) {
      if (std::string hint = launcher_hint(resolved.files.front(), 0); !hint.empty()) return std::move(error).hint(std::move(hint));
    }
    if (parts.pattern.form == Form::Wildcard || parts.pattern.is_demangled) return error;
    return std::move(error).hint(near_functions(resolved, parts.pattern.text));
  }

  std::string_view name_;
  std::span<const std::string_view> aliases_;
  bool is_return_;
  std::string_view doc_, example_;
};

constexpr std::string_view kUprobeAlias = "u";
constexpr std::string_view kUretprobeAlias = "ur";
const UserFunction kUprobe("uprobe", kUprobeAlias, false, "entry of functions in programs and libraries", "uprobe:/bin/bash:readline");
const UserFunction kUretprobe("uretprobe", kUretprobeAlias, true, "return of functions in programs and libraries", "uretprobe:/bin/bash:readline");

}  // namespace

const Provider& uprobe_provider() { return kUprobe; }
const Provider& uretprobe_provider() { return kUretprobe; }

}  // namespace trc::probes
