// --fmt: the script in canonical layout, to standard output or in place of a file.

#include <cstdio>

#include "ast/print.h"
#include "cli/color.h"
#include "cli/commands.h"
#include "cli/script.h"
#include "parser/parser.h"
#include "source/diagnostics.h"

namespace trc::cli {
Result<int> format_script(const Options& o) {
  TRC_TRY(file, read_program(o));
  Diagnostics diags;
  const ast::Program program = parser::parse(file, {}, diags);
  if (!diags.ok()) {
    std::fputs(render_text(diags, {&file}, use_color()).c_str(), stderr);
    return 1;
  }
  const std::string text = ast::format(program, file);
  Diagnostics again_diags;
  const SourceFile formatted(file.name(), text);
  const ast::Program again = parser::parse(formatted, {}, again_diags);
  if (!again_diags.ok() || ast::dump(again) != ast::dump(program) || again.comments.size() > program.comments.size())
    return Error("the formatted script would mean something else; nothing was written").hint("please report this with the script");
  if (!o.output_file.empty()) {
    TRC_CHECK(replace_file(o.output_file, text));
  } else {
    std::fputs(text.c_str(), stdout);
  }
  return 0;
}

}  // namespace trc::cli
