#include "runtime/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace trc::runtime {

EndSignals::EndSignals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGHUP);
  ::sigprocmask(SIG_BLOCK, &ends, &before_);
  fd_.reset(::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
}

EndSignals::~EndSignals() {
  received();   // what is pending was meant for the run and must not kill what follows
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool EndSignals::received() {
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) received_ = true;
  return received_;
}

UserSignal::UserSignal() {
  sigset_t own;
  sigemptyset(&own);
  sigaddset(&own, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &own, &before_);
  fd_.reset(::signalfd(-1, &own, SFD_CLOEXEC | SFD_NONBLOCK));
}

UserSignal::~UserSignal() {
  take();
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool UserSignal::take() {
  signalfd_siginfo info{};
  bool taken = false;
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) taken = true;
  return taken;
}

}  // namespace trc::runtime
