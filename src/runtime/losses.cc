#include "runtime/losses.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace trc::runtime {
namespace {

std::uint64_t lost_events(const image::LossCounters& counters) { return counters.ring_full + counters.scratch_busy; }

}  // namespace

void LossReport::report_new() {
  std::uint64_t total = unread_;
  for (const image::LossCounters& counters : engine_.losses()) total += lost_events(counters);
  if (total <= reported_) return;
  sink_.lost(total - reported_);
  reported_ = total;
}

void LossReport::look() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_) return;
  next_look_ = now + std::chrono::milliseconds(500);
  report_new();
}

void LossReport::explain(std::size_t program, std::uint64_t events, const char* cause, const std::string& hint) {
  if (events == 0) return;
  std::string probe = image_.programs[program].name;
  for (const image::ProbeEntry& entry : image_.probes) {
    if (entry.program == program) {
      probe = entry.text;
      break;
    }
  }
  messages_.warn(fmt::format("{}: {} {}", probe, with_thousands(events), cause), hint);
}

/// Keyed maps of the script that hold as many entries as they may.
std::vector<std::string> LossReport::full_maps() {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < image_.maps.size(); ++i) {
    const image::MapEntry& map = image_.maps[i];
    if (map.role != image::MapRole::User || !map.has_key) continue;
    // A hash refuses entries a little before it is full: each CPU holds some free ones back.
    const auto elements = engine_.read_map(i);
    if (elements && elements->size() >= map.max_entries - map.max_entries / 8) names.push_back(map.script_name);
  }
  return names;
}

void LossReport::summarize() {
  report_new();
  if (reported_ != 0) messages_.warn(fmt::format("Total lost event count: {}", reported_));
  const std::vector<image::LossCounters> losses = engine_.losses();
  std::string maps;
  const bool map_was_full = std::any_of(losses.begin(), losses.end(), [](const auto& l) { return l.map_full != 0; });
  if (map_was_full) maps = join(full_maps(), ", ");
  for (std::size_t program = 0; program < losses.size() && program < image_.programs.size(); ++program) {
    const image::LossCounters& lost = losses[program];
    explain(program, lost.ring_full, "events found no room in the ring buffer", "make it larger (perf_rb_pages), or send less: count in a map instead of printing");
    explain(program, lost.scratch_busy, "runs were given up for want of scratch memory", "too many threads were in this probe at once; smaller strings (max_strlen) need less");
    explain(program, lost.map_full, maps.empty() ? "map updates found no room" : ("map updates found no room (full: " + maps + ")").c_str(),
            "raise max_map_keys, or declare the map with a size: let @m = hash(100000)");
    explain(program, lost.stacks_full, "stacks found no room in the ring buffer, their frames are missing", "make it larger (perf_rb_pages), or take fewer different stacks: a smaller limit (ustack(10)) or a predicate");
    explain(program, lost.contended, "changes were given up because others changed the same value at that moment", "give each CPU or thread its own key");
    explain(program, lost.helper_failed, "kernel helper calls failed", messages_.verbose() ? "" : "-k shows where");
  }
  if (unread_ != 0) messages_.warn(fmt::format("{} events were still waiting when the run had to end", with_thousands(unread_)));
  const std::vector<std::uint64_t> missed = engine_.missed_runs();
  for (std::size_t program = 0; program < missed.size() && program < image_.programs.size(); ++program) {
    explain(program, missed[program], "times the kernel did not run the program, because one was running on that CPU already", "");
  }
}

}  // namespace trc::runtime
