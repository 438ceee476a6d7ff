#include "runtime/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "runtime/stack_text.h"

namespace trc::runtime {
namespace {

/// What can be done about stacks that end so.
const char* way_out(std::uint16_t end) {
  switch (static_cast<trc_stack_end>(end)) {
    case TRC_STACK_Limit: return "give a limit of your own: ustack(16384)";
    case TRC_STACK_NotLoaded: return "--stop-on-map holds a process until the table of a new file is there";
    case TRC_STACK_NoRule: return "generated code needs frame pointers, compiled code those or unwind tables (stack_unwind = fp uses no tables)";
    case TRC_STACK_NoScratch: return "too many threads took stacks at once";
    case TRC_STACK_KernelLimit: return "raise it: sysctl kernel.perf_event_max_stack=1024";
    case TRC_STACK_PythonUnknown: return "Python frames of 3.11 to 3.14 can be read";
    case TRC_STACK_PythonNotLoaded:
    case TRC_STACK_PythonUnlinked:
    case TRC_STACK_PythonNoThread:
    case TRC_STACK_NoMapping:
    case TRC_STACK_Unreadable:
    case TRC_STACK_Unsupported:
    case TRC_STACK_Root:
    case TRC_STACK_Asked:
    case TRC_STACK_ENDS: return "";
  }
  return "";
}

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

/// Of the first probe of a program.
std::string LossReport::name_of(std::size_t program) const {
  for (const image::ProbeEntry& entry : image_.probes) {
    if (entry.program == program) return entry.text;
  }
  return image_.programs[program].name;
}

void LossReport::explain(std::size_t program, std::uint64_t events, const Cause& cause, const std::string& hint) {
  if (events != 0) messages_.warn(fmt::format("{}: {} {}", name_of(program), with_thousands(events), events == 1 ? cause.one : cause.many), hint);
}

/// Of the stacks of each program that ended TRC_STACK_KernelLimit, how many have nothing behind their last frame.
std::vector<std::uint64_t> LossReport::whole_at_the_limit() {
  std::vector<std::uint64_t> whole(image_.programs.size());
  for (std::uint32_t i = 0; i < image_.maps.size() && kernel_symbol_; ++i) {
    if (image_.maps[i].role != image::MapRole::StackLimits) continue;
    const auto elements = engine_.read_map(i);
    if (!elements) continue;   // then they all count as cut
    for (const MapElement& element : *elements) {
      trc_stack_limit key;
      std::uint64_t stacks = 0;
      if (element.key.size() < sizeof key || element.values.size() < sizeof stacks) continue;
      std::memcpy(&key, element.key.data(), sizeof key);
      std::memcpy(&stacks, element.values.data(), sizeof stacks);
      if (key.program < whole.size() && is_kernel_root(kernel_symbol_(key.last))) whole[key.program] += stacks;
    }
  }
  return whole;
}

void LossReport::summarize_stacks() {
  const auto ends = engine_.stack_ends();
  const std::vector<std::uint64_t> whole = ends.empty() ? std::vector<std::uint64_t>() : whole_at_the_limit();
  for (std::size_t program = 0; program < ends.size() && program < image_.programs.size(); ++program) {
    output::TruncatedStacks truncated{.probe = name_of(program), .stacks = 0, .reasons = {}};
    std::uint64_t cut = 0, most = 0;
    const char* hint = "";
    std::string list;
    for (std::uint16_t end = 0; end < ends[program].size(); ++end) {
      std::uint64_t count = ends[program][end];
      truncated.stacks += count;
      if (end == TRC_STACK_PythonNotLoaded && count != 0 && late_) count = std::min(count, late_(static_cast<std::uint32_t>(program)));
      if (end == TRC_STACK_KernelLimit) count -= std::min(count, whole[program]);
      const std::string why(why_truncated(end));
      if (why.empty() || count == 0) continue;
      cut += count;
      truncated.reasons.emplace_back(why, count);
      list += fmt::format("{}{}, {}", list.empty() ? "" : "; ", why, with_thousands(count));
      if (count <= most) continue;
      most = count;
      hint = way_out(end);
    }
    if (cut == 0) continue;
    sink_.truncated_stacks(truncated);
    messages_.warn(fmt::format("{}: {} of {} stacks are cut: {}", truncated.probe, with_thousands(cut), with_thousands(truncated.stacks), list), hint);
  }
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
    explain(program, lost.ring_full, {"event found no room in the ring buffer", "events found no room in the ring buffer"},
            "make it larger (perf_rb_pages), or send less: count in a map instead of printing");
    explain(program, lost.scratch_busy, {"run was given up for want of scratch memory", "runs were given up for want of scratch memory"},
            "too many threads were in this probe at once; smaller strings (max_strlen) need less");
    const std::string which = maps.empty() ? "" : " (full: " + maps + ")";
    explain(program, lost.map_full, {"map update found no room" + which, "map updates found no room" + which},
            "raise max_map_keys, or declare the map with a size: let @m = hash(100000)");
    explain(program, lost.stacks_full,
            {"stack found no room in the ring buffer, its frames are missing", "stacks found no room in the ring buffer, their frames are missing"},
            "make it larger (perf_rb_pages), or take fewer different stacks: a smaller limit (ustack(10)) or a predicate");
    explain(program, lost.contended,
            {"change was given up because others changed the same value at that moment", "changes were given up because others changed the same value at that moment"},
            "give each CPU or thread its own key");
    explain(program, lost.helper_failed, {"kernel helper call failed", "kernel helper calls failed"}, reads_are_reported_ ? "" : "-k shows where");
  }
  summarize_stacks();
  if (unread_ != 0) messages_.warn(fmt::format("{} events were still waiting when the run had to end", with_thousands(unread_)));
  const std::vector<std::uint64_t> missed = engine_.missed_runs();
  for (std::size_t program = 0; program < missed.size() && program < image_.programs.size(); ++program) {
    explain(program, missed[program],
            {"time the kernel did not run the program, because one was running on that CPU already",
             "times the kernel did not run the program, because one was running on that CPU already"}, "");
  }
}

}  // namespace trc::runtime
