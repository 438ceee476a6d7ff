// Sees every exec in the process tree of the -c command, and holds the process until it is told to go on. So a bare name such as
// `python3` can mean the file that is really executed, whatever scripts and wrappers come first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/owned.h"
#include "base/result.h"
#include "kernel/bpf_object.h"
#include "kernel/ring_buffer.h"
#include "runtime/ancestors.h"
#include "runtime/held_processes.h"

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
  /// For the parents of those that were resumed; call it when pending_ms() has passed (-1: never).
  void resume_ancestors() { ancestors_.look(); }
  int pending_ms() const { return ancestors_.pending_ms(); }
  /// Stops following; processes that were stopped meanwhile go on.
  void finish();

 private:
  Follow() = default;
  std::unique_ptr<kernel::BpfObject> object_;
  std::unique_ptr<kernel::RingBuffer> ring_;
  std::unique_ptr<HeldProcesses> held_;
  Fd link_;
  int ring_fd_ = -1;
  Ancestors ancestors_;
};

}  // namespace trc::runtime
