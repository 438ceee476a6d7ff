#include "runtime/reaper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/owned.h"

namespace trc::runtime {
namespace {

void close_between(unsigned first, unsigned last) {
  if (first > last) return;
  if (::syscall(SYS_close_range, first, last, 0) == 0) return;
  const auto most = static_cast<unsigned>(std::min(::sysconf(_SC_OPEN_MAX), 1L << 20));   // kernels before 5.9
  for (unsigned fd = first; fd <= std::min(last, most); ++fd) ::close(static_cast<int>(fd));
}

/// Only async-signal-safe calls: `keep` is sorted.
void give_up_all_but(const std::vector<int>& keep) {
  ::setsid();
  if (::chdir("/") != 0) ::_exit(0);
  unsigned next = 0;
  for (const int fd : keep) {
    if (static_cast<unsigned>(fd) > next) close_between(next, static_cast<unsigned>(fd) - 1);
    next = static_cast<unsigned>(fd) + 1;
  }
  close_between(next, ~0U);
}

}  // namespace

std::int32_t start_survivor(const char* name, std::span<const int> descriptors, void (*afterwards)(const void* context), const void* context) {
  const Fd parent(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!parent) return -1;
  std::vector<int> keep(descriptors.begin(), descriptors.end());
  keep.push_back(parent.get());
  std::sort(keep.begin(), keep.end());
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_NAME, name);
  give_up_all_but(keep);
  pollfd gone{.fd = parent.get(), .events = POLLIN, .revents = 0};
  while (::poll(&gone, 1, -1) < 0) {
  }
  if (afterwards != nullptr) afterwards(context);
  ::_exit(0);
}

bool leave_to_reaper(std::span<const int> descriptors) {
  // The child must go after us, or its share of the closing is ours again; hence the wait for our own end.
  return start_survivor("trc-detach", descriptors, nullptr, nullptr) > 0;
}

}  // namespace trc::runtime
