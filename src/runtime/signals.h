// The signals that end a run, as a descriptor instead of handlers.
#pragma once

#include <signal.h>

#include "base/owned.h"

namespace trc::runtime {

/// Blocks SIGINT, SIGTERM and SIGHUP for its lifetime; a signal that came makes fd() readable.
class EndSignals {
 public:
  EndSignals();
  ~EndSignals();
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  int fd() const { return fd_.get(); }
  /// Has one come since the start? Does not wait.
  bool received();

 private:
  sigset_t before_{};
  Fd fd_;
  bool received_ = false;
};

/// SIGUSR1 while this lives, for the probes self:signal:SIGUSR1; otherwise it ends trc, as it does any program.
class UserSignal {
 public:
  UserSignal();
  ~UserSignal();
  UserSignal(const UserSignal&) = delete;
  UserSignal& operator=(const UserSignal&) = delete;
  int fd() const { return fd_.get(); }   ///< readable when it has come
  /// Has it come since the last question? Several at once count as one.
  bool take();

 private:
  sigset_t before_{};
  Fd fd_;
};

}  // namespace trc::runtime
