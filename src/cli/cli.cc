#include "cli/cli.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include "base/version.h"
#include "cli/color.h"
#include "cli/commands.h"
#include "cli/options.h"

namespace trc::cli {
namespace {

int report(const Error& error) {
  std::fflush(stdout);
  const char* kind = use_color() ? "\033[31mERROR\033[0m" : "ERROR";
  std::fprintf(stderr, "%s: %s\n", kind, error.message().c_str());
  if (!error.hint().empty()) std::fprintf(stderr, "HINT: %s\n", error.hint().c_str());
  return error.exit_status();
}

Result<int> dispatch(int argc, char** argv) {
  if (argc == 1) {
    std::fputs(help_text().c_str(), stderr);
    return 1;
  }
  TRC_TRY(options, parse_options(argc, argv));
  switch (options.mode) {
    case Options::Mode::Help:
      std::fputs(help_text().c_str(), stdout);
      return 0;
    case Options::Mode::Version:
      std::printf("trc v%s\n", kVersion);
      return 0;
    case Options::Mode::Tables:
      std::fputs(tables_text().c_str(), stdout);
      return 0;
    case Options::Mode::Explain: return explain(options);
    case Options::Mode::Info:
      std::fputs(info_text(options).c_str(), stdout);
      return 0;
    case Options::Mode::Format: return format_script(options);
    case Options::Mode::Fix: return fix_script(options);
    case Options::Mode::List: return list_probes(options);
    case Options::Mode::Run: return run_script(options);
  }
  return 0;
}

/// Where a standard stream is closed the next file to be opened would get its number, and our output with it. Output that is closed gets
/// a descriptor that cannot be written to, so that it is an error to print there.
void occupy_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    (void)::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);   // the lowest free number is this one
  }
}

/// What stdio holds back may fail to be written at the very end.
Result<> flush_stdout() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  return Error::from_errno("write output");
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_streams();
  try {
    Result<int> status = dispatch(argc, argv);
    if (!status) return report(status.error());
    const Result<> flushed = flush_stdout();
    return flushed ? *status : report(flushed.error());
  } catch (const std::exception& e) {
    return report(Error(std::string("internal error in trc: ") + e.what()).hint("please report this with the script"));
  }
}

}  // namespace trc::cli
