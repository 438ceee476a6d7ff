// Keeps the list of the processes of the -c command, sees every exec there, and holds the process until it is told to go on. So a bare
// name such as `python3` can mean the file that is really executed, whatever scripts and wrappers come first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/owned.h"
#include "base/result.h"
#include "kernel/bpf_object.h"
#include "kernel/ring_buffer.h"
#include "runtime/ancestors.h"
#include "runtime/held_processes.h"
#include "runtime/process_tree.h"

namespace trc::runtime {

class Follow {
 public:
  /// From its first exec on `command` (a process that has not executed anything yet) and its descendants, whoever their parents are by
  /// then, are in `tree`, and each stops when it executes something. Needs a kernel with BTF.
  static Result<std::unique_ptr<Follow>> start(std::int32_t command, const ProcessTree& tree);
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
  /// Processes that found no room in the list; they count as others.
  std::uint64_t not_followed() const;

 private:
  Follow() = default;
  std::unique_ptr<kernel::BpfObject> object_;
  std::unique_ptr<kernel::RingBuffer> ring_;
  std::unique_ptr<HeldProcesses> held_;
  std::vector<Fd> links_;
  int ring_fd_ = -1;
  Ancestors ancestors_;
};

}  // namespace trc::runtime
