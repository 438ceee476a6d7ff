// The engine that runs programs in the kernel.
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <string>

#include <fmt/format.h>

#include "image/program_image.h"
#include "kernel/bpf_map.h"
#include "kernel/bpf_object.h"
#include "kernel/btf.h"
#include "kernel/features.h"
#include "kernel/ring_buffer.h"
#include "runtime/engine.h"
#include "runtime/kernel_attach.h"
#include "runtime/reaper.h"
#include "runtime/status.h"
#include "runtime/verifier_log.h"
#include "source/diagnostics.h"
#include "symbols/kallsyms.h"

namespace trc::runtime {
namespace {

using image::MapRole;
using lang::ProgramKind;

constexpr std::uint32_t kRingBytes = 16 << 20;        // holds the bursts of two busy CPUs between two looks
constexpr std::uint32_t kRingBytesRunOnce = 4 << 20;  // begin and end alone; creating a large ring takes milliseconds
constexpr std::uint32_t kPatienceMs = 200;            // waiting longer than this for detaching is left to the reaper
constexpr std::uint32_t kPatienceUnfrozenMs = 700;    // unless detaching is the only way to stop the programs

template <class T>
std::string_view as_bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

class KernelEngine : public Engine {
 public:
  explicit KernelEngine(EngineOptions options) : options_(std::move(options)) {}

  void provide_map(const std::string& name, int fd) override { provided_[name] = fd; }
  Result<> load(const image::ProgramImage& image, const std::vector<std::uint64_t>& constants) override;
  std::string verifier_log() const override { return object_ ? object_->log() : std::string(); }
  std::string debug_log() const override { return object_ ? object_->debug_log() : std::string(); }
  Result<std::uint32_t> run(std::uint32_t program) override;
  Result<std::uint64_t> measure(std::uint32_t program, std::uint64_t times) override;
  Result<std::unique_ptr<Attachment>> attach(const AttachRequest& request) override;
  bool freeze() override;
  bool detach(std::vector<std::unique_ptr<Attachment>> attachments) override;
  int event_fd() const override { return ring_fd_; }
  Result<std::size_t> drain(const std::function<bool(std::span<const std::byte>)>& handle) override;
  Result<std::vector<MapElement>> read_map(std::uint32_t map) override;
  Result<MapElement> read_element(std::uint32_t map, std::span<const std::byte> key) override;
  Result<> clear_map(std::uint32_t map) override;
  Result<> zero_map(std::uint32_t map) override;
  std::vector<image::LossCounters> losses() override;
  std::vector<std::array<std::uint64_t, TRC_STACK_ENDS>> stack_ends() override;
  std::vector<std::uint64_t> missed_runs() override;

 private:
  bool is_multi(const image::ProgramEntry& program) const {
    if (program.kind == ProgramKind::KernelFunction) return !options_.no_kprobe_multi && kernel::system_facts().has(kernel::Feature::KprobeMulti);
    return program.kind == ProgramKind::UserProbe && !options_.no_uprobe_multi && kernel::probe_feature(kernel::Feature::UprobeMulti);
  }
  Result<kernel::ProgramType> type_of(const image::ProgramEntry& program) const;
  Result<> prepare(const std::vector<std::uint64_t>& constants);
  Result<> fill_in_kernel_fields();
  Result<> fill_in_kernel_symbols();
  std::uint32_t ring_bytes() const;
  Result<> open_maps();
  Error explain_load_failure(Error error) const;
  Result<kernel::BpfMap> map_at(std::uint32_t index) const;
  std::vector<std::byte> zeroed(const image::MapEntry& entry, std::span<const std::byte> values, bool keep_presence) const;

  EngineOptions options_;
  const image::ProgramImage* image_ = nullptr;    // the caller's
  std::unique_ptr<kernel::BpfObject> object_;
  std::vector<int> programs_;                     // descriptors, borrowed from the object
  std::vector<kernel::BpfMap> maps_;
  std::map<std::string, int> provided_;           // maps that come from outside; borrowed
  std::unique_ptr<kernel::RingBuffer> ring_;
  std::uint32_t ring_size_ = 0;
  int ring_fd_ = -1;
  bool frozen_ = false;
};

Result<kernel::ProgramType> KernelEngine::type_of(const image::ProgramEntry& program) const {
  switch (program.kind) {
    case ProgramKind::TestRun:
    case ProgramKind::RawTracepoint: return kernel::ProgramType::RawTracepoint;
    case ProgramKind::UserProbe: return is_multi(program) ? kernel::ProgramType::UprobeMulti : kernel::ProgramType::Kprobe;
    case ProgramKind::Tracepoint: return kernel::ProgramType::Tracepoint;
    case ProgramKind::PerfEvent: return kernel::ProgramType::PerfEvent;
    case ProgramKind::KernelFunction: return is_multi(program) ? kernel::ProgramType::KprobeMulti : kernel::ProgramType::Kprobe;
    case ProgramKind::KernelAddress: return kernel::ProgramType::Kprobe;
    case ProgramKind::FunctionEntry: return kernel::ProgramType::Fentry;
    case ProgramKind::FunctionExit: return kernel::ProgramType::Fexit;
    case ProgramKind::Iterator: return kernel::ProgramType::Iterator;
  }
  return Error("program '" + program.name + "' is of a kind that this trc does not know");
}

std::uint32_t KernelEngine::ring_bytes() const {
  if (image_->settings.ring_pages != 0) {
    return std::bit_ceil(image_->settings.ring_pages) * static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  }
  if (options_.ring_bytes != 0) return std::bit_ceil(options_.ring_bytes);
  const bool runs_once = std::all_of(image_->programs.begin(), image_->programs.end(),
                                     [](const image::ProgramEntry& program) { return program.kind == ProgramKind::TestRun; });
  return runs_once ? kRingBytesRunOnce : kRingBytes;
}

Result<> KernelEngine::prepare(const std::vector<std::uint64_t>& constants) {
  for (const image::ProgramEntry& program : image_->programs) {
    TRC_TRY(type, type_of(program));
    TRC_CHECK(object_->set_type(program.name, type));
    if (!program.bound_to.empty()) TRC_CHECK(object_->bind(program.name, program.bound_to));
  }
  for (const image::MapEntry& map : image_->maps) {
    if (map.role == MapRole::Given) {
      const auto given = provided_.find(map.name);
      if (given == provided_.end()) return Error("the programs want the map " + map.name + ", which this trc does not have");
      TRC_CHECK(object_->use_map(map.name, given->second));
    }
    if (map.role == MapRole::Slots) TRC_CHECK(object_->set_max_entries(map.name, map.max_entries * kernel::possible_cpus()));
    if (map.role != MapRole::Ring) continue;
    ring_size_ = ring_bytes();
    TRC_CHECK(object_->set_max_entries(map.name, ring_size_));
  }
  for (std::size_t i = 0; i < image_->constants.size() && i < constants.size(); ++i) {
    TRC_CHECK(object_->set_data(".rodata", image_->constants[i].offset, as_bytes(constants[i])));
  }
  TRC_CHECK(fill_in_kernel_symbols());
  return fill_in_kernel_fields();
}

Result<> KernelEngine::fill_in_kernel_symbols() {
  if (image_->kernel_symbols.empty()) return {};
  std::vector<std::string> names;
  for (const image::KernelSymbolEntry& entry : image_->kernel_symbols) names.push_back(entry.name);
  const auto addresses = symbols::kernel_symbol_addresses(names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const image::KernelSymbolEntry& entry = image_->kernel_symbols[i];
    if (!addresses[i]) {
      std::string place;
      if (entry.span.file < image_->sources.size()) {
        const image::SourceText& source = image_->sources[entry.span.file];
        place = render_position(entry.span, SourceFile(source.name, source.text)) + ": ";
      }
      return Error(fmt::format("{}Failed to resolve kernel symbol: {}", place, entry.name))
          .hint("it must stand in /proc/kallsyms with its address; see also kernel.kptr_restrict");
    }
    TRC_CHECK(object_->set_data(".rodata", entry.offset, as_bytes(*addresses[i])));
  }
  return {};
}

Result<> KernelEngine::fill_in_kernel_fields() {
  if (image_->kernel_fields.empty()) return {};
  std::vector<std::string> members;
  for (const image::KernelFieldEntry& field : image_->kernel_fields) members.push_back(field.member);
  auto offsets = kernel::kernel_member_offsets(members);
  if (!offsets) return std::move(offsets).error().context("where the kernel keeps what the script asks for").status(kLoadFailure);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::uint64_t at = (*offsets)[i].value_or(image::kNoMember);
    TRC_CHECK(object_->set_data(".rodata", image_->kernel_fields[i].offset, as_bytes(at)));
  }
  return {};
}

Result<> KernelEngine::open_maps() {
  for (const image::MapEntry& entry : image_->maps) {
    TRC_TRY(fd, object_->map(entry.name));
    const bool is_ring = entry.role == MapRole::Ring;
    maps_.push_back({.fd = fd, .key_size = entry.key_size, .value_size = entry.value_size, .max_entries = entry.max_entries,
                     .per_cpu = entry.per_cpu});
    if (!is_ring) continue;
    TRC_TRY(ring, kernel::RingBuffer::map(fd, ring_size_));
    ring_ = std::move(ring);
    ring_fd_ = fd;
  }
  for (const image::ProgramEntry& program : image_->programs) {
    TRC_TRY(fd, object_->program(program.name));
    programs_.push_back(fd);
  }
  return {};
}

Error KernelEngine::explain_load_failure(Error error) const {
  if (const auto refusal = find_refusal(object_->log(), *image_)) {
    return Error(describe(*refusal)).status(kLoadFailure).hint("-v shows the verifier's whole log");
  }
  if (error.code() == ENOMEM || error.code() == E2BIG) {
    return std::move(error).status(kLoadFailure).hint("a map may be too large: see max_map_keys and max_strlen");
  }
  if (error.code() == EPERM) {
    return std::move(error).status(kLoadFailure).hint("trc has the capabilities; the kernel's configuration, lockdown or a security module forbids such programs here");
  }
  return std::move(error).status(kLoadFailure);
}

Result<> KernelEngine::load(const image::ProgramImage& image, const std::vector<std::uint64_t>& constants) {
  image_ = &image;
  TRC_TRY(object, kernel::BpfObject::open(image.object, "trc", {.debug = options_.libbpf_log, .verifier = options_.verifier_logs}));
  object_ = std::move(object);
  TRC_CHECK(prepare(constants));
  if (auto loaded = object_->load(); !loaded) return explain_load_failure(std::move(loaded).error());
  return open_maps();
}

Result<std::uint32_t> KernelEngine::run(std::uint32_t program) {
  if (program >= programs_.size()) return Error("the image has no such program");
  auto done = kernel::run_raw_tracepoint(programs_[program]);
  if (!done) return std::move(done).error().context(image_->programs[program].name).status(kLoadFailure);
  return *done;
}

Result<std::uint64_t> KernelEngine::measure(std::uint32_t program, std::uint64_t times) {
  if (program >= programs_.size()) return Error("the image has no such program");
  TRC_TRY(statistics, kernel::enable_run_times());   // as long as it is open
  const std::uint64_t before = kernel::run_time_ns(programs_[program]);
  for (std::uint64_t i = 0; i < times; ++i) TRC_CHECK(run(program));
  return kernel::run_time_ns(programs_[program]) - before;
}

Result<std::unique_ptr<Attachment>> KernelEngine::attach(const AttachRequest& request) {
  if (request.program >= programs_.size()) return Error("the image has no such program");
  const image::ProgramEntry& entry = image_->programs[request.program];
  const AttachTarget target{.program = programs_[request.program],
                            .multi = is_multi(entry),
                            .uses_cookie = entry.uses_cookie,
                            .first_id = request.first_id,
                            .online_cpus = options_.online_cpus,
                            .interrupted = &options_.interrupted};
  auto result = attach_in_kernel(target, request.spec);
  if (!result) return std::move(result).error().status(kLoadFailure);
  return std::unique_ptr<Attachment>(std::move(*result));
}

bool KernelEngine::freeze() {
  if (frozen_) return true;
  const std::uint32_t yes = 1;
  if (image_->frozen_offset == image::kNoOffset) return false;
  if (!object_->write_data(".bss", image_->frozen_offset, as_bytes(yes))) return false;
  // Waits until every CPU has been where no program runs, so those that saw the old value are done.
  ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
  frozen_ = true;
  return true;
}

bool KernelEngine::detach(std::vector<std::unique_ptr<Attachment>> attachments) {
  std::uint32_t closing_ms = 0;
  std::vector<int> descriptors;
  for (const auto& attachment : attachments) {
    auto& held = static_cast<KernelAttachment&>(*attachment);
    closing_ms += held.closing_ms();
    held.closing_is_cared_for();
    for (const Fd& fd : held.descriptors()) {
      if (fd) descriptors.push_back(fd.get());
    }
  }
  const bool is_slow = closing_ms > (frozen_ ? kPatienceMs : kPatienceUnfrozenMs);
  return !(is_slow && leave_to_reaper(descriptors));   // the attachments go with the vector
}

Result<std::size_t> KernelEngine::drain(const std::function<bool(std::span<const std::byte>)>& handle) {
  if (!ring_) return std::size_t{0};
  return ring_->drain(handle, std::size_t{4} * ring_size_);
}

Result<kernel::BpfMap> KernelEngine::map_at(std::uint32_t index) const {
  if (index >= maps_.size()) return Error("the image has no such map");
  return maps_[index];
}

Result<std::vector<MapElement>> KernelEngine::read_map(std::uint32_t map) {
  TRC_TRY(bpf_map, map_at(map));
  std::vector<MapElement> elements;
  const std::size_t stored = bpf_map.stored_size();
  auto done = kernel::for_each_element(bpf_map, [&](std::span<const std::byte> key, std::span<const std::byte> values) {
    MapElement& element = elements.emplace_back();
    element.key.assign(key.begin(), key.end());
    element.values.reserve(stored);
    element.values.assign(values.begin(), values.end());
    element.values.resize(stored);
  });
  if (!done) return std::move(done).error().context(image_->maps[map].script_name);
  return elements;
}

Result<MapElement> KernelEngine::read_element(std::uint32_t map, std::span<const std::byte> key) {
  TRC_TRY(bpf_map, map_at(map));
  TRC_TRY(values, kernel::lookup(bpf_map, key));
  return MapElement{{key.begin(), key.end()}, std::move(values)};
}

/// All copies zero, the presence words kept if asked.
std::vector<std::byte> KernelEngine::zeroed(const image::MapEntry& entry, std::span<const std::byte> values, bool keep_presence) const {
  std::vector<std::byte> result(values.size());
  if (!keep_presence || entry.presence_offset == image::kNoPresence) return result;
  for (std::size_t copy = 0; copy < values.size(); copy += stride(entry.value_size)) {
    if (copy + entry.presence_offset + 8 > values.size()) break;
    std::memcpy(&result[copy + entry.presence_offset], &values[copy + entry.presence_offset], 8);
  }
  return result;
}

Result<> KernelEngine::clear_map(std::uint32_t map) {
  TRC_TRY(bpf_map, map_at(map));
  TRC_TRY(elements, read_map(map));
  for (const MapElement& element : elements) {
    if (image_->maps[map].has_key) {
      TRC_CHECK(kernel::remove(bpf_map, element.key));
    } else {
      TRC_CHECK(kernel::update(bpf_map, element.key, zeroed(image_->maps[map], element.values, false), true));
    }
  }
  return {};
}

Result<> KernelEngine::zero_map(std::uint32_t map) {
  TRC_TRY(bpf_map, map_at(map));
  TRC_TRY(elements, read_map(map));
  for (const MapElement& element : elements) {
    TRC_CHECK(kernel::update(bpf_map, element.key, zeroed(image_->maps[map], element.values, true), true));
  }
  return {};
}

std::vector<image::LossCounters> KernelEngine::losses() {
  std::vector<image::LossCounters> result(image_->programs.size());
  for (std::size_t m = 0; m < maps_.size(); ++m) {
    if (image_->maps[m].role != MapRole::Loss || maps_[m].value_size != sizeof(image::LossCounters)) continue;
    for (std::uint32_t program = 0; program < result.size(); ++program) {
      const auto values = kernel::lookup(maps_[m], std::as_bytes(std::span(&program, 1)));
      if (!values) continue;
      for (std::size_t at = 0; at + sizeof(image::LossCounters) <= values->size(); at += sizeof(image::LossCounters)) {
        image::LossCounters one;
        std::memcpy(&one, values->data() + at, sizeof one);
        result[program].ring_full += one.ring_full;
        result[program].map_full += one.map_full;
        result[program].scratch_busy += one.scratch_busy;
        result[program].stacks_full += one.stacks_full;
        result[program].helper_failed += one.helper_failed;
        result[program].contended += one.contended;
      }
    }
  }
  return result;
}

std::vector<std::array<std::uint64_t, TRC_STACK_ENDS>> KernelEngine::stack_ends() {
  using Ends = std::array<std::uint64_t, TRC_STACK_ENDS>;
  std::vector<Ends> result;
  for (std::size_t m = 0; m < maps_.size(); ++m) {
    if (image_->maps[m].role != MapRole::StackEnds || maps_[m].value_size != sizeof(Ends)) continue;
    result.resize(image_->programs.size());
    for (std::uint32_t program = 0; program < result.size(); ++program) {
      const auto values = kernel::lookup(maps_[m], std::as_bytes(std::span(&program, 1)));
      if (!values) continue;
      for (std::size_t at = 0; at + sizeof(Ends) <= values->size(); at += sizeof(Ends)) {
        Ends one;
        std::memcpy(&one, values->data() + at, sizeof one);
        for (std::size_t end = 0; end < one.size(); ++end) result[program][end] += one[end];
      }
    }
  }
  return result;
}

std::vector<std::uint64_t> KernelEngine::missed_runs() {
  std::vector<std::uint64_t> result;
  for (const int program : programs_) result.push_back(kernel::missed_runs(program));
  return result;
}

}  // namespace

std::unique_ptr<Engine> make_kernel_engine(const EngineOptions& options) { return std::make_unique<KernelEngine>(options); }

}  // namespace trc::runtime
