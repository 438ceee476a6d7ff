// --fmt: the script in canonical layout, to standard output or in place of a file.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "ast/print.h"
#include "base/owned.h"
#include "cli/color.h"
#include "cli/commands.h"
#include "cli/script.h"
#include "parser/parser.h"
#include "source/diagnostics.h"

namespace trc::cli {
namespace {

/// Readers see the old file or the new one, never a part.
Result<> replace_file(const std::string& name, const std::string& text) {
  std::error_code failed;
  const std::filesystem::path real = std::filesystem::weakly_canonical(name, failed);   // through links: the file itself is replaced
  const std::string path = failed ? name : real.string();
  std::string temporary = path + ".XXXXXX";
  Fd file(::mkstemp(temporary.data()));
  if (!file) return Error::from_errno(fmt::format("failed to open output file '{}'", name));
  struct stat old{};
  const mode_t mask = ::umask(0);
  ::umask(mask);
  const mode_t mode = ::stat(path.c_str(), &old) == 0 ? old.st_mode & 07777 : 0666 & ~mask;
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!rest.empty() || ::fchmod(file.get(), mode) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    Error error = Error::from_errno(fmt::format("write '{}'", name));
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

}  // namespace

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
