#include "symbols/symbolizer.h"

#include <chrono>
#include <optional>
#include <unordered_map>

#include "base/read_file.h"
#include "symbols/kallsyms.h"
#include "symbols/module.h"
#include "symbols/process_maps.h"

namespace trc::symbols {
namespace {

using Clock = std::chrono::steady_clock;

struct Process {
  AddressSpace current;
  AddressSpace previous;                   ///< before the last exec: stacks recorded then are still to be named
  std::optional<std::uint64_t> started;    ///< start_time() when its maps were read
  std::uint32_t parent = 0;                ///< if it was seen to be forked
  bool maps_read = false;
  Clock::time_point last_read{};
  Clock::duration read_cost{};
};

/// Reading a process's maps for an address that is nowhere takes at most this share of the time.
constexpr int kReadShare = 10;

}  // namespace

struct Symbolizer::State {
  bool demangle = true;
  std::optional<KernelSymbols> kernel;
  std::unordered_map<std::uint32_t, Process> processes;
  Modules modules;

  bool read_maps(std::uint32_t pid, Process& process);
  bool may_read_again(const Process& process) const {
    return !process.maps_read || Clock::now() - process.last_read > kReadShare * process.read_cost;
  }
  const Region* find(std::uint32_t pid, std::uint64_t address);
};

bool Symbolizer::State::read_maps(std::uint32_t pid, Process& process) {
  const auto begin = Clock::now();
  process.maps_read = true;
  const auto started = start_time(pid);
  const auto text = started ? read_file("/proc/" + std::to_string(pid) + "/maps") : Result<std::string>(Error("gone"));
  bool found = false;
  if (text && !text->empty()) {
    // The number now belongs to another process than the one we knew.
    if (process.started && *process.started != *started) process.previous = std::exchange(process.current, {});
    process.started = started;
    for (const MapsLine& line : parse_maps(*text)) {
      const Mapping& mapping = line.mapping;
      const Region* known = process.current.find(mapping.start);
      const bool same = known != nullptr && known->start == mapping.start && known->end == mapping.end &&
                        known->file_offset == mapping.file_offset && known->module != nullptr && known->module->path() == mapping.path;
      if (!same) process.current.put({mapping.start, mapping.end, mapping.file_offset, modules.get(pid, line)});
      found = true;
    }
  }
  process.last_read = Clock::now();
  process.read_cost = process.last_read - begin;
  return found;
}

const Region* Symbolizer::State::find(std::uint32_t pid, std::uint64_t address) {
  Process& process = processes[pid];
  if (const Region* region = process.current.find(address)) return region;
  if (may_read_again(process) && read_maps(pid, process)) {
    if (const Region* region = process.current.find(address)) return region;
  }
  if (const Region* region = process.previous.find(address)) return region;
  // A child that ended before we could look, and did not exec, had its parent's mappings.
  const auto parent = process.current.empty() && process.parent != 0 ? processes.find(process.parent) : processes.end();
  return parent != processes.end() ? parent->second.current.find(address) : nullptr;
}

Symbolizer::Symbolizer(bool demangle) : state_(std::make_unique<State>()) { state_->demangle = demangle; }
Symbolizer::~Symbolizer() = default;

Frame Symbolizer::kernel(std::uint64_t address) {
  if (!state_->kernel) state_->kernel = KernelSymbols::read();
  Frame frame{.address = address};
  if (const auto match = state_->kernel->find(address)) {
    frame.symbol = match->name;
    frame.offset = match->offset;
    frame.module = match->module;
  }
  return frame;
}

Frame Symbolizer::user(std::uint32_t pid, std::uint64_t address) {
  Frame frame{.address = address, .module = "[unknown]"};
  const Region* region = state_->find(pid, address);
  if (region == nullptr || !region->module) return frame;
  frame.module = region->module->path();
  if (const auto match = region->module->find(address - region->start + region->file_offset, state_->demangle)) {
    frame.symbol = *match->name;
    frame.offset = match->offset;
  }
  return frame;
}

void Symbolizer::mapped(std::uint32_t pid, const Mapping& mapping) {
  Process& process = state_->processes[pid];
  process.current.put({mapping.start, mapping.end, mapping.file_offset, state_->modules.get(pid, {mapping, false})});
}

void Symbolizer::executed(std::uint32_t pid) {
  Process& process = state_->processes[pid];
  process.previous = std::exchange(process.current, {});
  process.maps_read = false;
  process.parent = 0;
}

void Symbolizer::forked(std::uint32_t parent, std::uint32_t child) {
  Process fresh;
  fresh.parent = parent;
  if (const auto known = state_->processes.find(parent); known != state_->processes.end()) {
    fresh.current = known->second.current;
    fresh.previous = known->second.previous;
  }
  state_->processes[child] = std::move(fresh);
}

void Symbolizer::snapshot(std::uint32_t pid) { state_->read_maps(pid, state_->processes[pid]); }

}  // namespace trc::symbols
