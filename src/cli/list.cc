// -l: probes that match a pattern, or those of a script.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdio>
#include <set>

#include "cli/color.h"
#include "cli/commands.h"
#include "cli/script.h"
#include "kernel/facts.h"
#include "parser/parser.h"
#include "probes/provider.h"
#include "source/diagnostics.h"
#include "types/c_definition.h"

namespace trc::cli {
namespace {

bool is_file(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

/// "struct NAME", "union N*", "enum *": types of the kernel and its modules.
bool names_types(const std::string& pattern) { return pattern.starts_with("struct ") || pattern.starts_with("union ") || pattern.starts_with("enum "); }

Result<> print_types(const Options& o) {
  const kernel::Facts& facts = kernel::system_facts();
  std::set<std::string> lines;
  const std::vector<std::string> modules = facts.btf_names();
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const auto btf = facts.btf(i);
    if (!btf && i == 0) return btf.error();
    if (!btf) continue;   // of a module that went away meanwhile
    for (const types::NamedType& type : types::find_tags(**btf, o.list_pattern)) {
      lines.insert(o.verbose ? fmt::format("{}: {}", modules[i], types::c_definition(**btf, type.id)) : type.spelled);
    }
  }
  for (const std::string& line : lines) fmt::print("{}\n", line);
  return {};
}

bool names_a_script(const std::string& word) { return word.ends_with(".bt") || word.ends_with(".trc"); }

/// What a probe offers, a line each.
std::string description(const probes::ParsedTarget& probe, const probes::Scope& scope) {
  std::string text;
  for (const std::string& line : probe.provider->describe(probe.target, kernel::system_facts(), scope)) text += "    " + line + "\n";
  return text;
}

/// The probes of the pattern; with -v what each offers.
Result<> print_matches(const Options& o, const std::string& pattern, const probes::Scope& scope) {
  TRC_TRY(names, probes::list_probes(pattern, kernel::system_facts(), scope));
  std::string text;
  for (const std::string& name : names) {
    text += name + "\n";
    if (!o.verbose) continue;
    if (const auto parsed = probes::parse_attach_point(name, scope)) text += description(*parsed, scope);
  }
  std::fputs(text.c_str(), stdout);
  return {};
}

/// The attach points of a script in their order, wildcards expanded; begin and end are in no list.
Result<int> list_script(const Options& o, const probes::Scope& scope) {
  TRC_TRY(file, read_program(o));
  Diagnostics diags;
  const ast::Program program = parser::parse(file, {.positionals = o.positionals}, diags);
  if (!diags.ok()) {
    std::fputs(render_text(diags, {&file}, use_color()).c_str(), stderr);
    return 1;
  }
  for (const ast::Probe* probe : program.probes) {
    for (const ast::AttachPoint* point : probe->attach_points) {
      TRC_TRY(parsed, probes::parse_attach_point(point->text, scope));
      const std::string_view provider = parsed.provider->name();
      if (provider == "begin" || provider == "end" || provider == "self") continue;
      if (point->text.find('*') == std::string::npos) fmt::print("{}\n{}", parsed.target.text, o.verbose ? description(parsed, scope) : "");
      else TRC_CHECK(print_matches(o, point->text, scope));
    }
  }
  return 0;
}

}  // namespace

Result<int> list_probes(const Options& options) {
  probes::Scope scope;
  if (options.pid) scope.pid = *options.pid;
  if (options.program_text) return list_script(options, scope);
  if (is_file(options.list_pattern)) {
    Options with_file = options;
    with_file.file = options.list_pattern;
    return list_script(with_file, scope);
  }
  if (names_types(options.list_pattern)) {
    TRC_CHECK(print_types(options));
    return 0;
  }
  if (names_a_script(options.list_pattern)) {
    fmt::print(stderr, "WARNING: It appears that '{}' is a filename but the file does not exist. Treating '{}' as a search pattern.\n",
               options.list_pattern, options.list_pattern);
  }
  TRC_CHECK(print_matches(options, options.list_pattern, scope));
  return 0;
}

}  // namespace trc::cli
