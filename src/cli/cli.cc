#include "cli/cli.h"

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
    case Options::Mode::List: return list_probes(options);
    case Options::Mode::Run: return run_script(options);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Result<int> status = dispatch(argc, argv);
    return status ? *status : report(status.error());
  } catch (const std::exception& e) {
    return report(Error(std::string("internal error in trc: ") + e.what()).hint("please report this with the script"));
  }
}

}  // namespace trc::cli
