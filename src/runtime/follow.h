// Sees every exec in the process tree of the -c command, and holds the process until it is told to go on. So a bare name such as
// `python3` can mean the file that is really executed, whatever scripts and wrappers come first.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>

#include "base/owned.h"
#include "base/result.h"
#include "kernel/bpf_object.h"
#include "kernel/ring_buffer.h"

namespace trc::runtime {

class Follow {
 public:
  /// From now on every process that descends from this one stops when it executes something. Needs a kernel with BTF.
  static Result<std::unique_ptr<Follow>> start();
  ~Follow();

  int event_fd() const { return ring_fd_; }
  /// Calls `executed` for each process that has stopped; resume() it when done.
  void drain(const std::function<void(std::int32_t pid)>& executed);
  void resume(std::int32_t pid);
  /// sudo and some shells stop themselves when their child stops. They go on here; call it when pending_ms() has passed.
  void resume_ancestors();
  /// Milliseconds until resume_ancestors() has something to look at; -1: nothing.
  int pending_ms() const;
  /// Stops following; processes that were stopped meanwhile are handed over a last time.
  void finish(const std::function<void(std::int32_t pid)>& executed);

 private:
  Follow() = default;
  std::unique_ptr<kernel::BpfObject> object_;
  std::unique_ptr<kernel::RingBuffer> ring_;
  Fd link_;
  int ring_fd_ = -1;
  std::set<std::int32_t> resumed_;                         ///< whose ancestors are watched for a while
  std::chrono::steady_clock::time_point watch_until_{};
};

}  // namespace trc::runtime
