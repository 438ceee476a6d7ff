#include "symbols/symbolizer.h"

#include <optional>

#include "symbols/kallsyms.h"
#include "symbols/process_memory.h"

namespace trc::symbols {

struct Symbolizer::State {
  std::recursive_mutex mutex;   // recursive: the observer reports while an address is looked up
  bool demangle = true, debug_info = false;
  std::optional<KernelSymbols> kernel;
  ProcessMemory memory;
};

Symbolizer::Symbolizer(bool demangle, bool debug_info) : state_(std::make_unique<State>()) {
  state_->demangle = demangle;
  state_->debug_info = debug_info;
}
Symbolizer::~Symbolizer() = default;

Frame Symbolizer::kernel(std::uint64_t address) {
  const auto locked = lock();
  if (!state_->kernel) state_->kernel = KernelSymbols::read();
  Frame frame{.address = address};
  if (const auto match = state_->kernel->find(address)) {
    frame.symbol = match->name;
    frame.offset = match->offset;
    frame.module = match->module;
  }
  return frame;
}

Frame Symbolizer::user(std::uint32_t pid, std::uint64_t address, std::uint64_t time) {
  const auto locked = lock();
  Frame frame{.address = address, .module = "[unknown]"};
  const ProcessMemory::Found found = state_->memory.find(pid, address, time);
  if (!found) return frame;
  if (Module* module = found.range->value.module.get()) {
    frame.module = module->path();
    if (const auto match = module->find(found.file_offset(address), state_->demangle)) {
      frame.symbol = *match->name;
      frame.offset = match->offset;
      return frame;
    }
  }
  if (found.image->generated) {
    found.image->generated->look_for_perf_map(found.image->pid, time);
    if (const auto match = found.image->generated->find(address, time); match.range != nullptr) {
      frame.symbol = match.range->value;
      frame.offset = address - match.range->origin;
      frame.module = *match.file;
    }
  }
  return frame;
}

std::vector<Frame> Symbolizer::user_frames(std::uint32_t pid, std::uint64_t address, std::uint64_t time) {
  const auto locked = lock();
  std::vector<Frame> frames;
  Frame outer = user(pid, address, time);
  const ProcessMemory::Found found = state_->debug_info ? state_->memory.find(pid, address, time) : ProcessMemory::Found();
  if (found && found.range->value.module) {
    for (SourcePosition& position : found.range->value.module->source(found.file_offset(address))) {
      if (position.function.empty()) {
        outer.file = std::move(position.file);
        outer.line = position.line;
      } else {
        std::string name = state_->demangle ? demangle(position.function) : std::move(position.function);
        frames.push_back({address, std::move(name), 0, outer.module, std::move(position.file), position.line, true});
      }
    }
  }
  frames.push_back(std::move(outer));
  return frames;
}

std::optional<FileLocation> Symbolizer::user_location(std::uint32_t pid, std::uint64_t address, std::uint64_t time) {
  const auto locked = lock();
  const ProcessMemory::Found found = state_->memory.find(pid, address, time);
  if (!found || !found.range->value.module) return std::nullopt;
  const std::string& build_id = found.range->value.module->build_id();
  if (build_id.empty()) return std::nullopt;
  return FileLocation{build_id, found.file_offset(address)};
}

std::unique_lock<std::recursive_mutex> Symbolizer::lock() { return std::unique_lock(state_->mutex); }

void Symbolizer::set_observer(std::function<void()> catch_up) {
  const auto locked = lock();
  state_->memory.set_observer(std::move(catch_up));
}
void Symbolizer::mapped(std::uint32_t pid, const Mapping& mapping, std::uint64_t time) {
  const auto locked = lock();
  state_->memory.mapped(pid, from_kernel(mapping), time);
}
void Symbolizer::executed(std::uint32_t pid, std::uint64_t time) {
  const auto locked = lock();
  state_->memory.executed(pid, time);
}
void Symbolizer::forked(std::uint32_t parent, std::uint32_t child, std::uint64_t time) {
  const auto locked = lock();
  state_->memory.forked(parent, child, time);
}
void Symbolizer::exited(std::uint32_t pid, std::uint64_t time) {
  const auto locked = lock();
  state_->memory.exited(pid, time);
}
void Symbolizer::missed() {
  const auto locked = lock();
  state_->memory.missed();
}
void Symbolizer::snapshot(std::uint32_t pid) {
  const auto locked = lock();
  state_->memory.snapshot(pid);
}

}  // namespace trc::symbols
