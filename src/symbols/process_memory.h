// What the processes of the machine have mapped, and when: a history for each process number, across forks, execs and the end of the
// process. Fed by the runner with what it observes; looks into /proc/PID/maps for what it has not.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "symbols/generated_code.h"
#include "symbols/module.h"
#include "symbols/process_maps.h"
#include "symbols/timed_ranges.h"

namespace trc::symbols {

/// What a range of addresses shows: a file from some byte on, or memory that is no file (module null).
struct Mapped {
  std::shared_ptr<Module> module;
  std::uint64_t file_offset = 0;
  bool operator==(const Mapped&) const = default;
};

/// What a process maps from the moment that it was forked or executed a program, until the next one.
struct ProcessImage {
  std::uint32_t pid = 0;
  std::uint64_t since = 0;
  TimedRanges<Mapped> ranges;               ///< since it began
  std::unique_ptr<GeneratedCode> generated; ///< null: it maps no code that is not in a file
  std::shared_ptr<ProcessImage> base;       ///< forked from this one …
  std::uint64_t base_time = 0;              ///< … as it was then
  int depth = 0;                            ///< how many bases there are
  bool maps_read = false;
};

class ProcessMemory {
 public:
  using Range = TimedRanges<Mapped>::Range;
  struct Found {
    const Range* range = nullptr;           ///< valid until the next change
    std::shared_ptr<ProcessImage> image;    ///< whose range it is; an ancestor's perhaps
    explicit operator bool() const { return range != nullptr; }
    /// The byte of the file.
    std::uint64_t file_offset(std::uint64_t address) const { return address - range->origin + range->value.file_offset; }
  };

  /// Called when an address is asked for at a time after the last call; it reports what happened until now.
  void set_observer(std::function<void()> catch_up) { catch_up_ = std::move(catch_up); }
  void mapped(std::uint32_t pid, const MapsLine& line, std::uint64_t time);
  void executed(std::uint32_t pid, std::uint64_t time);
  void forked(std::uint32_t parent, std::uint32_t child, std::uint64_t time);
  void exited(std::uint32_t pid, std::uint64_t time);
  /// Something has happened that was not told: looks at all living processes again.
  void missed();
  /// Reads the maps of a process now.
  void snapshot(std::uint32_t pid);

  /// What was at an address at a time. An address that is nowhere is looked for in /proc/PID/maps if the process is still there, though not
  /// more often than a tenth of the time allows. With kNow: where it is, or else where it was last.
  Found find(std::uint32_t pid, std::uint64_t address, std::uint64_t time);

 private:
  struct Process {
    std::vector<std::shared_ptr<ProcessImage>> images;   ///< by since
    std::optional<std::uint64_t> started;                ///< start_time() of the last image's process when its maps were read
    std::uint32_t parent = 0;                            ///< if it was seen to be forked
    std::optional<std::uint64_t> exited;
    std::chrono::steady_clock::time_point last_read{};
    std::chrono::steady_clock::duration read_cost{};
  };

  Process& process_of(std::uint32_t pid);
  Mapped look_at(ProcessImage& image, const MapsLine& line);
  bool read_maps(std::uint32_t pid, Process& process);
  bool may_read(const Process& process) const;
  std::vector<std::uint32_t> with_ancestors(std::uint32_t pid) const;
  static Found find_in(const std::shared_ptr<ProcessImage>& image, std::uint64_t address, std::uint64_t time);

  std::unordered_map<std::uint32_t, Process> processes_;
  std::deque<std::pair<std::uint32_t, std::uint64_t>> dead_;   ///< process and when, the longest dead first
  Modules modules_;
  std::function<void()> catch_up_;
  std::uint64_t caught_up_ = 0;                                ///< until when
};

}  // namespace trc::symbols
