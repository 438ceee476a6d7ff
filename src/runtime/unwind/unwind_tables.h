// The unwind tables of a run: which files have one, and threads that make those that are missing, one for each urgency, so that nobody waits
// for the tables of a huge file that others have mapped. Tables are kept by file, so all processes share them, and a file that was replaced
// gets a new one.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/owned.h"
#include "base/result.h"
#include "kernel/perf_buffer.h"
#include "probes/provider.h"
#include "runtime/file_key.h"
#include "runtime/unwind/map_stop.h"
#include "runtime/unwind/unwind_maps.h"

namespace trc::runtime {

/// What is more urgent is done first.
enum class Urgency : std::uint8_t {
  Now,          ///< somebody waits for it: a program has met the file, or the command is held
  Soon,         ///< was mapped just now
  Background    ///< might be met
};

class UnwindTables {
 public:
  /// Makes the maps and starts the threads.
  static Result<std::unique_ptr<UnwindTables>> start();
  /// Stops the threads; programs that still run keep the maps.
  ~UnwindTables();

  std::vector<UnwindMaps::Named> maps() const { return maps_->maps(); }

  // For any thread; they return at once.
  void want_file(const std::string& path, Urgency urgency);
  /// All that a process has mapped executable.
  void want_process(std::uint32_t pid, Urgency urgency);
  /// A record of lang::ActionKind::UnwindFile.
  void asked(const trc_uw_file_record& record);
  /// From now on files that processes map are wanted as they do so. False: the kernel does not tell.
  bool watch(const probes::Scope& scope, const std::vector<std::uint32_t>& cpus);

  /// From now on a process that maps a file without table is held until there is one; see MapStop::start().
  Result<> hold_at(MapStop::At at, const probes::Scope& scope, const ProcessTree* tree);
  /// After hold_at(): also at this dynamic linker. `interpreter`: its path, as the process has it. What cannot be watched is not.
  void watch_linker_of(std::int32_t pid, const std::string& interpreter);

  /// Called (by a thread of this object) before a held process goes on: for whoever else wants to look at it while it is there.
  void set_before_resume(std::function<void()> look);

  /// Until everything that was wanted now is there; false if that takes longer.
  bool wait(std::chrono::milliseconds most);
  /// What went wrong since the last call, one sentence each.
  std::vector<std::string> take_complaints();

  /// Processes that should have been held and were not, for want of room.
  std::uint64_t not_stopped();

  struct Counts {
    std::uint64_t tables = 0, bare = 0, failed = 0, asked = 0;
    UnwindMaps::Usage usage;
  };
  Counts counts();

 private:
  /// A file by its path, by its mapping in a process (`end` != 0), or all mappings of a process.
  struct Request {
    std::string path;
    std::uint32_t pid = 0;
    std::uint64_t start = 0, end = 0;
    std::optional<trc_uw_file_key> file;   ///< as the kernel has it, if known
    std::int32_t held = 0;                 ///< the process that is stopped until this is done
  };
  /// Tells the file that an inode number stood for from the one that it stands for now.
  struct Identity {
    std::int64_t size = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const Identity&) const = default;
  };
  struct Opened {
    Fd fd;
    trc_uw_file_key file;
    Identity identity;
  };

  explicit UnwindTables(std::unique_ptr<UnwindMaps> maps) : maps_(std::move(maps)) {}
  void enqueue(Request request, Urgency urgency);
  void wake();
  void complain(std::string text);

  // Of the urgent thread.
  void work();
  bool take_urgent(Request& request);
  void done();
  void look_around();
  void drain_watch();
  void drain_stops();
  void look_at_held();
  void want_held(const trc_map_stop_record& record);

  // Of the others.
  void work_on(Urgency urgency);

  // Of all.
  void handle(const Request& request, Urgency urgency, FileKeys& keys);
  void want_mappings(const Request& process, Urgency urgency, FileKeys& keys);
  void load_vdso();
  std::optional<Opened> open(const Request& request, FileKeys& keys);
  static symbols::FilePlace place_of(const Opened& opened, const Request& request);
  void build(const Opened& opened, const Request& request);
  trc_uw_file_state state_of(const trc_uw_file_key& file) const;
  bool is_known(const trc_uw_file_key& file, const std::optional<Identity>& identity);

  std::unique_ptr<UnwindMaps> maps_;
  std::vector<std::byte> bytes_;                 // of the urgent thread, kept for its memory
  std::atomic<bool> stop_ = false;               // set under the lock; a table in progress is given up

  std::mutex mutex_;                             // for what follows
  std::deque<Request> requests_[3];              // by urgency
  std::size_t urgent_ = 0;                       // those of Urgency::Now that are not done
  std::condition_variable urgent_done_, wanted_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Identity> known_;   // device, inode
  std::vector<std::unique_ptr<kernel::PerfBuffer>> watch_;
  std::function<void()> before_resume_;
  std::unique_ptr<MapStop> map_stop_;            // set once, then of the urgent thread
  std::uint32_t only_pid_ = 0;                   // of the records of watch_; 0: all
  std::vector<std::string> complaints_;
  Counts counts_;
  bool room_wanted_ = true;

  Fd wake_;                                      // an eventfd, for the urgent thread
  std::thread urgent_thread_, soon_thread_, background_thread_;
};

}  // namespace trc::runtime
