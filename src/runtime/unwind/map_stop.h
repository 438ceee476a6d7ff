// Holds processes that map a file without unwind table: a BPF program stops them (SIGSTOP) where their dynamic linker has mapped libraries,
// or at the end of any system call that maps (--stop-on-map); whoever makes the tables lets them go on. One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/owned.h"
#include "base/result.h"
#include "kernel/bpf_object.h"
#include "kernel/ring_buffer.h"
#include "probes/provider.h"
#include "runtime/ancestors.h"
#include "runtime/held_processes.h"
#include "runtime/process_tree.h"
#include "runtime/unwind/map_stop_abi.h"

namespace trc::runtime {

class MapStop {
 public:
  enum class At : std::uint8_t { LinkersOnly, EveryMapping };
  /// From now on processes in scope are stopped: the tree of the command, the process of -p, or all but trc itself. `files`: the map of
  /// the files that have tables; `tree`: the processes of the command, if there is one. Both are borrowed until this returns.
  static Result<std::unique_ptr<MapStop>> start(const probes::Scope& scope, int files, const ProcessTree* tree, At at);
  /// No more are stopped, and all go on.
  ~MapStop();

  /// The process is stopped when its dynamic linker (an open file) has mapped libraries, also that of the programs that it executes later. In no
  /// other process anything is placed: debuggers stop at the same place. The last 64 processes are watched. False: it is watched, or no linker.
  /// For another thread than that of the rest.
  Result<bool> watch_linker(std::int32_t pid, const std::string& path);

  int event_fd() const { return ring_fd_; }
  using Want = std::function<void(const trc_map_stop_record&)>;
  /// Calls `want` for each file that a process was stopped for; done() says when it has its table.
  void drain(const Want& want);
  /// One of the files of a process is there. With the last one the process goes on, unless it turns out to have mapped more.
  void done(std::int32_t pid, const Want& want);
  /// For the parents of those that go on; call it when pending_ms() has passed (-1: never).
  void resume_ancestors() { ancestors_.look(); }
  int pending_ms() const { return ancestors_.pending_ms(); }
  /// How often there was no room to stop a process.
  std::uint64_t not_stopped() const;

 private:
  MapStop() = default;
  Result<> attach(const char* name, const char* event);
  Result<> set_up(const probes::Scope& scope, int files, const ProcessTree* tree, At at);

  std::unique_ptr<kernel::BpfObject> object_;
  std::unique_ptr<kernel::RingBuffer> ring_;
  std::unique_ptr<HeldProcesses> held_;
  std::vector<Fd> links_;
  struct Linker { std::int32_t pid; std::uint64_t device, inode; Fd link, event; };
  static constexpr std::size_t kMostLinkers = 64;
  std::deque<Linker> linkers_;                  ///< the oldest first
  int ring_fd_ = -1;
  std::map<std::int32_t, std::size_t> open_;    ///< files without table, by process
  bool is_tree_ = false;                        ///< those that are held descend from us
  Ancestors ancestors_;
};

}  // namespace trc::runtime
