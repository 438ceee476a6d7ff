#include "symbols/process_memory.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/read_file.h"

namespace trc::symbols {
namespace {

using Clock = std::chrono::steady_clock;

/// Reading a process's maps for an address that is nowhere takes at most one part in so many of the time.
constexpr int kReadShare = 10;
/// Bounds of what is kept, for machines that fork or execute without end; the oldest goes first.
constexpr std::size_t kMaxDead = 1 << 17;
constexpr std::size_t kMaxImages = 256;
/// A chain of forks is followed so far; a longer one is written out.
constexpr int kMaxDepth = 16;
/// How many ancestors are asked for a file: they mostly share the root of the process that is gone.
constexpr std::size_t kMaxAncestors = 3;

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

/// start_time()'s ticks since boot as a time of ours; up to one tick early.
std::uint64_t ticks_to_time(std::uint64_t ticks) {
  const auto per_second = static_cast<std::uint64_t>(std::max(::sysconf(_SC_CLK_TCK), 1L));
  const std::uint64_t since_boot = ticks / per_second * 1'000'000'000 + ticks % per_second * (1'000'000'000 / per_second);
  const std::uint64_t suspended = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);
  return since_boot > suspended ? since_boot - suspended : 0;
}

std::shared_ptr<ProcessImage> make_image(std::uint32_t pid, std::uint64_t since) {
  auto image = std::make_shared<ProcessImage>();
  image->pid = pid;
  image->since = since;
  return image;
}

/// The same with what its bases hold put into it.
std::shared_ptr<ProcessImage> flatten(const ProcessImage& image, std::uint64_t time) {
  std::vector<std::pair<const ProcessImage*, std::uint64_t>> chain;
  for (const ProcessImage* at = &image; at != nullptr; at = at->base.get()) {
    chain.emplace_back(at, time);
    time = std::min(time, at->base_time);
  }
  auto flat = make_image(image.pid, image.since);
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    at->first->ranges.for_each_at(at->second, [&](const ProcessMemory::Range& range) {
      Mapped value = range.value;
      value.file_offset += range.start - range.origin;
      flat->ranges.put(range.start, range.end, range.since, std::move(value));
    });
  }
  return flat;
}

}  // namespace

ProcessMemory::Process& ProcessMemory::process_of(std::uint32_t pid) {
  Process& process = processes_[pid];
  if (process.images.empty()) process.images.push_back(make_image(pid, 0));
  return process;
}

std::vector<std::uint32_t> ProcessMemory::with_ancestors(std::uint32_t pid) const {
  std::vector<std::uint32_t> pids;
  while (pid != 0 && pids.size() <= kMaxAncestors) {
    pids.push_back(pid);
    const auto process = processes_.find(pid);
    pid = process == processes_.end() ? 0 : process->second.parent;
  }
  return pids;
}

void ProcessMemory::mapped(std::uint32_t pid, const MapsLine& line, std::uint64_t time) {
  ProcessImage& image = *process_of(pid).images.back();
  image.ranges.put(line.mapping.start, line.mapping.end, time, look_at(image, line));
}

/// What a mapping shows. A jitdump is mapped only to be noticed; executable memory that is no file holds code that the program has made.
Mapped ProcessMemory::look_at(ProcessImage& image, const MapsLine& line) {
  const std::vector<std::uint32_t> pids = with_ancestors(image.pid);
  Mapped mapped{modules_.get(pids, line), line.mapping.file_offset};
  const std::string& path = line.mapping.path;
  const bool is_dump = path.ends_with(".dump") && path.substr(path.rfind('/') + 1).starts_with("jit-");
  const bool is_anonymous = (!mapped.module && path != "[vsyscall]") || path.starts_with("/memfd:");
  if (!is_dump && !is_anonymous) return mapped;
  if (!image.generated) image.generated = std::make_unique<GeneratedCode>();
  if (is_dump) image.generated->add_jit_dump(open_mapped_file(pids, line));
  else image.generated->look_for_perf_map(image.pid, 0);
  return mapped;
}

void ProcessMemory::executed(std::uint32_t pid, std::uint64_t time) {
  Process& process = process_of(pid);
  process.images.push_back(make_image(pid, time));
  if (process.images.size() > kMaxImages) process.images.erase(process.images.begin());
}

void ProcessMemory::forked(std::uint32_t parent, std::uint32_t child, std::uint64_t time) {
  Process& from = process_of(parent);
  const std::shared_ptr<ProcessImage> base = from.images.back();
  if (!base->maps_read && base->ranges.empty() && !base->base) read_maps(parent, from);
  auto image = make_image(child, time);
  image->base = base->depth < kMaxDepth ? base : flatten(*base, time);
  image->base_time = time;
  image->depth = image->base->depth + 1;
  Process& process = processes_[child];
  process.images.push_back(std::move(image));
  if (process.images.size() > kMaxImages) process.images.erase(process.images.begin());
  process.parent = parent;
  process.started.reset();
  process.exited.reset();
  process.read_cost = {};
}

void ProcessMemory::exited(std::uint32_t pid, std::uint64_t time) {
  const auto process = processes_.find(pid);
  if (process == processes_.end()) return;
  process->second.exited = time;
  dead_.emplace_back(pid, time);
  if (dead_.size() <= kMaxDead) return;
  const auto [oldest, when] = dead_.front();
  dead_.pop_front();
  const auto entry = processes_.find(oldest);
  if (entry != processes_.end() && entry->second.exited == when) processes_.erase(entry);
}

void ProcessMemory::snapshot(std::uint32_t pid) { read_maps(pid, process_of(pid)); }

void ProcessMemory::missed() {
  std::vector<std::uint32_t> living;
  for (const auto& [pid, process] : processes_) {
    if (!process.exited) living.push_back(pid);
  }
  for (const std::uint32_t pid : living) snapshot(pid);
}

bool ProcessMemory::may_read(const Process& process) const {
  if (process.exited) return false;   // the number may be another's by now
  return !process.images.back()->maps_read || Clock::now() - process.last_read > kReadShare * process.read_cost;
}

bool ProcessMemory::read_maps(std::uint32_t pid, Process& process) {
  const std::uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);   // a busy machine makes nothing dearer
  const std::uint64_t now = clock_ns(CLOCK_MONOTONIC);
  process.images.back()->maps_read = true;
  const auto started = start_time(pid);
  const auto text = started ? read_file("/proc/" + std::to_string(pid) + "/maps") : Result<std::string>(Error("gone"));
  const std::vector<MapsLine> lines = text ? parse_maps(*text) : std::vector<MapsLine>();
  if (!lines.empty()) {
    if (process.started && *process.started != *started) {   // the number belongs to another process than the one we knew
      process.images.push_back(make_image(pid, std::max(ticks_to_time(*started), process.images.back()->since)));
      process.images.back()->maps_read = true;
    }
    process.started = started;
    for (const MapsLine& line : lines) {
      const Mapping& mapping = line.mapping;
      process.images.back()->ranges.put_found(mapping.start, mapping.end, now, look_at(*process.images.back(), line));
    }
  }
  process.last_read = Clock::now();
  process.read_cost = std::chrono::nanoseconds(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin);
  return !lines.empty();
}

ProcessMemory::Found ProcessMemory::find_in(const std::shared_ptr<ProcessImage>& image, std::uint64_t address, std::uint64_t time) {
  for (std::shared_ptr<ProcessImage> at = image; at; at = at->base) {
    if (const Range* range = at->ranges.find(address, time)) return {range, at};
    time = std::min(time, at->base_time);
  }
  return {};
}

ProcessMemory::Found ProcessMemory::find(std::uint32_t pid, std::uint64_t address, std::uint64_t time) {
  if (catch_up_ && time > caught_up_) {
    caught_up_ = clock_ns(CLOCK_MONOTONIC);
    catch_up_();
  }
  Process& process = process_of(pid);
  const auto after = std::upper_bound(process.images.begin(), process.images.end(), time,
                                      [](std::uint64_t t, const std::shared_ptr<ProcessImage>& image) { return t < image->since; });
  const auto at = after == process.images.begin() ? after : std::prev(after);
  const std::shared_ptr<ProcessImage> image = *at;
  if (Found found = find_in(image, address, time)) return found;
  if (image == process.images.back() && may_read(process) && read_maps(pid, process)) {
    const std::shared_ptr<ProcessImage>& read = time == kNow ? process.images.back() : image;
    if (Found found = find_in(read, address, time)) return found;
  }
  if (time != kNow) return {};
  for (auto older = process.images.rbegin(); older != process.images.rend(); ++older) {
    if (Found found = find_in(*older, address, kNow)) return found;
  }
  return {};
}

}  // namespace trc::symbols
