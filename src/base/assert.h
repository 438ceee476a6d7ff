// TRC_ASSERT and TRC_UNREACHABLE: for bugs of ours. They stay on in release builds.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace trc {
[[noreturn]] inline void assertion_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "ERROR: internal error in trc: %s (%s:%d); please report this with the script\n", what, file, line);
  std::abort();
}
}  // namespace trc

#define TRC_ASSERT(condition) \
  ((condition) ? (void)0 : ::trc::assertion_failed(#condition, __FILE__, __LINE__))
#define TRC_UNREACHABLE(what) ::trc::assertion_failed(what, __FILE__, __LINE__)
