#include "cli/color.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace trc::cli {

bool use_color() {
  const char* setting = std::getenv("TRC_COLOR");
  if (!setting) setting = std::getenv("BPFTRACE_COLOR");
  if (setting && std::string_view(setting) == "always") return true;
  if (setting && std::string_view(setting) == "never") return false;
  return !std::getenv("NO_COLOR") && isatty(STDERR_FILENO);
}

}  // namespace trc::cli
