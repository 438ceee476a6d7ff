// --fix: the mends that are certain, made in the script's file.
#include <fmt/format.h>

#include <cstdio>

#include "ast/passes/analyse.h"
#include "builtins/catalogue.h"
#include "cli/color.h"
#include "cli/commands.h"
#include "cli/script.h"
#include "kernel/facts.h"
#include "parser/load.h"
#include "source/diagnostics.h"

namespace trc::cli {
namespace {

/// A mend may bring the next mistake to light; one that brings back what another took away must not go on for ever.
constexpr int kRounds = 20;

}  // namespace

Result<int> fix_script(const Options& o) {
  TRC_TRY(file, read_program(o));
  const std::string name = file.name();
  std::string text(file.text());
  std::size_t made = 0;
  for (int round = 0;; ++round) {
    Diagnostics diags;
    const parser::LoadedScript script = parser::load(SourceFile(name, text), {o.positionals, script_path(o)}, diags);
    if (diags.ok()) (void)ast::analyse(script.program, script.files(), builtins::catalogue(), kernel::system_facts(), analyse_options(o), diags);
    std::size_t count = 0;
    std::string better = mended(diags, script.files(), 0, count);
    if (count != 0 && round < kRounds) {
      made += count;
      text = std::move(better);
      continue;
    }
    std::fputs(render_text(diags, script.files(), use_color()).c_str(), stderr);
    if (!o.output_file.empty()) TRC_CHECK(replace_file(o.output_file, text));
    else if (script_path(o).empty()) std::fputs(text.c_str(), stdout);
    else if (made != 0) TRC_CHECK(replace_file(o.file, text));
    if (!o.quiet) fmt::print(stderr, "{}: {} mend{}\n", name, made == 0 ? "no" : std::to_string(made), made == 1 ? "" : "s");
    return diags.ok() ? 0 : 1;
  }
}

}  // namespace trc::cli
