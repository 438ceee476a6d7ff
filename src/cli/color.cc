#include "cli/color.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace trc::cli {

bool use_color() {
  const char* name = std::getenv("TRC_COLOR") ? "TRC_COLOR" : "BPFTRACE_COLOR";
  const char* value = std::getenv(name);
  const std::string_view setting = value ? value : "auto";
  if (setting == "always") return true;
  if (setting == "never") return false;
  static bool told = false;
  if (setting != "auto" && !told) {
    told = true;
    std::fprintf(stderr, "WARNING: %s is '%s', expected auto, always or never\n", name, value);
  }
  return !std::getenv("NO_COLOR") && isatty(STDERR_FILENO);
}

}  // namespace trc::cli
