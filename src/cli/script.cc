#include "cli/script.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/owned.h"
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

std::string_view saved_image(std::string_view text) {
  if (text.starts_with("#!")) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return image::is_image(text) ? text : std::string_view{};
}

ast::AnalyseOptions analyse_options(const Options& o) {
  ast::AnalyseOptions analyse;
  analyse.named_parameters = o.named;
  analyse.positionals = o.positionals;
  analyse.unsafe = o.unsafe;
  analyse.headers = {o.include_folders, o.include_files};
  analyse.compat = o.compat;
  analyse.scope.unsafe = o.unsafe;
  return analyse;
}

std::string script_path(const Options& o) { return o.program_text || o.file == "-" ? "" : o.file; }

}  // namespace trc::cli
