// -l: probes that match a pattern, or those of a script.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdio>

#include "cli/color.h"
#include "cli/commands.h"
#include "cli/script.h"
#include "kernel/facts.h"
#include "parser/parser.h"
#include "probes/provider.h"
#include "source/diagnostics.h"

namespace trc::cli {
namespace {

bool is_file(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool names_a_script(const std::string& word) { return word.ends_with(".bt") || word.ends_with(".trc"); }

/// The probes of the pattern; with -v what each offers.
Result<> print_matches(const Options& o, const std::string& pattern, const probes::Scope& scope) {
  TRC_TRY(names, probes::list_probes(pattern, kernel::system_facts(), scope));
  std::string text;
  for (const std::string& name : names) {
    text += name + "\n";
    if (!o.verbose) continue;
    auto parsed = probes::parse_attach_point(name, scope);
    if (!parsed) continue;
    for (const std::string& line : parsed->provider->describe(parsed->target, kernel::system_facts(), scope)) text += "    " + line + "\n";
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
      if (point->text.find('*') == std::string::npos) fmt::print("{}\n", parsed.target.text);
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
  if (names_a_script(options.list_pattern)) {
    fmt::print(stderr, "WARNING: It appears that '{}' is a filename but the file does not exist. Treating '{}' as a search pattern.\n",
               options.list_pattern, options.list_pattern);
  }
  TRC_CHECK(print_matches(options, options.list_pattern, scope));
  return 0;
}

}  // namespace trc::cli
