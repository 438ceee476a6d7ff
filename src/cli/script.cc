#include "cli/script.h"

#include <fmt/format.h>

#include <cstring>

#include "base/read_file.h"
#include "image/program_image.h"

namespace trc::cli {

Result<SourceFile> read_program(const Options& o) {
  if (o.program_text) return SourceFile("stdin", *o.program_text);
  if (o.file == "-") {
    TRC_TRY(text, read_file("/dev/stdin"));
    return SourceFile("stdin", std::move(text));
  }
  Result<std::string> text = read_file(o.file);
  if (!text) {
    return Error(fmt::format("failed to open file '{}': {}", o.file, std::strerror(text.error().code())))
        .hint("a program on the command line goes after -e");
  }
  if (text->rfind("\x7f" "ELF", 0) == 0)
    return Error(fmt::format("'{}' is a program (ELF), not a script", o.file))
        .hint(fmt::format("to trace it: trc -e 'uprobe:{}:main {{ … }}' -c {}", o.file, o.file));
  return SourceFile(o.file, std::move(*text));
}

std::string_view saved_image(std::string_view text) {
  if (text.starts_with("#!")) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return image::is_image(text) ? text : std::string_view{};
}

}  // namespace trc::cli
