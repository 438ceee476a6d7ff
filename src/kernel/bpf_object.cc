#include "kernel/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernel/bpf_abi.h"
#include "kernel/program_types.h"

namespace trc::kernel {
namespace {

// libbpf's print callback has no user argument; loading is single-threaded
std::string* collected = nullptr;
std::string* collected_debug = nullptr;

int collect(enum libbpf_print_level level, const char* format, va_list args) {
  std::string* to = level == LIBBPF_DEBUG ? collected_debug : collected;
  if (to == nullptr) return 0;
  char* text = nullptr;
  const int size = vasprintf(&text, format, args);
  if (size < 0) return 0;
  to->append(text, static_cast<std::size_t>(size));
  std::free(text);
  return size;
}

/// Collects libbpf's messages into `to` for its lifetime, and its debug messages into `debug`, if there is one.
class Collect {
 public:
  explicit Collect(std::string& to, std::string* debug = nullptr) : previous_(collected), previous_debug_(collected_debug) {
    collected = &to;
    collected_debug = debug;
    libbpf_set_print(collect);
  }
  ~Collect() {
    collected = previous_;
    collected_debug = previous_debug_;
  }
  Collect(const Collect&) = delete;
  Collect& operator=(const Collect&) = delete;

 private:
  std::string* previous_;
  std::string* previous_debug_;
};

/// The first complaint of libbpf, without its prefix: the cause; those that follow are consequences.
std::string first_complaint(const std::string& log) {
  std::string line = log.substr(0, log.find('\n'));
  constexpr std::string_view kPrefix = "libbpf: ";
  return line.starts_with(kPrefix) ? line.substr(kPrefix.size()) : line;
}

Error outside(const std::string& section, std::size_t offset) {
  return Error("the BPF object has nothing at " + section + "+" + std::to_string(offset));
}

}  // namespace

ProgramTypeRow program_type_row(ProgramType type) {
  switch (type) {
    case ProgramType::RawTracepoint: return {BPF_PROG_TYPE_RAW_TRACEPOINT, 0};
    case ProgramType::Kprobe: return {BPF_PROG_TYPE_KPROBE, 0};
    case ProgramType::KprobeMulti: return {BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI};
    case ProgramType::UprobeMulti: return {BPF_PROG_TYPE_KPROBE, abi::kTraceUprobeMulti};
    case ProgramType::Tracepoint: return {BPF_PROG_TYPE_TRACEPOINT, 0};
    case ProgramType::PerfEvent: return {BPF_PROG_TYPE_PERF_EVENT, 0};
    case ProgramType::Fentry: return {BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY};
    case ProgramType::Fexit: return {BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT};
    case ProgramType::Iterator: return {BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER};
  }
  return {BPF_PROG_TYPE_UNSPEC, 0};
}

Result<std::unique_ptr<BpfObject>> BpfObject::open(std::string_view elf, const std::string& name, LoadTalk talk) {
  std::string log, debug;
  const bool with_debug = talk.debug || talk.verifier;
  const Collect scope(log, with_debug ? &debug : nullptr);
  // Level 2: all paths, also of what is accepted. Without a buffer of ours libbpf makes one as large as the log, and says it in a debug message.
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name.c_str(), .kernel_log_level = talk.verifier ? 2u : 0u);
  bpf_object* object = bpf_object__open_mem(elf.data(), elf.size(), &options);
  if (object == nullptr) return Error::from_errno("read the BPF object (" + first_complaint(log) + ")");
  auto result = std::unique_ptr<BpfObject>(new BpfObject(object));
  result->log_ = std::move(log);
  result->debug_log_ = std::move(debug);
  result->with_debug_ = with_debug;
  return result;
}

BpfObject::~BpfObject() { bpf_object__close(object_); }

Result<> BpfObject::set_type(const std::string& function, ProgramType type) {
  bpf_program* program = bpf_object__find_program_by_name(object_, function.c_str());
  if (program == nullptr) return Error("the BPF object has no program '" + function + "'");
  const ProgramTypeRow r = program_type_row(type);
  bpf_program__set_type(program, r.type);
  bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(r.expected));
  return {};
}

Result<> BpfObject::bind(const std::string& function, const std::string& target) {
  const Collect scope(log_);
  bpf_program* program = bpf_object__find_program_by_name(object_, function.c_str());
  if (program == nullptr) return Error("the BPF object has no program '" + function + "'");
  const std::string name = target.substr(target.rfind(':') + 1);
  constexpr std::string_view kProgram = "bpf:";
  if (!target.starts_with(kProgram)) {
    if (const int err = bpf_program__set_attach_target(program, 0, name.c_str())) return Error::from_errno(target + " in the kernel's BTF", -err);
    return {};
  }
  const auto id = static_cast<std::uint32_t>(std::strtoul(target.c_str() + kProgram.size(), nullptr, 10));
  Fd fd(std::max(bpf_prog_get_fd_by_id(id), -1));   // libbpf gives -errno
  if (!fd) return Error::from_errno("BPF program " + std::to_string(id));
  if (const int err = bpf_program__set_attach_target(program, fd.get(), name.c_str())) return Error::from_errno(target, -err);
  targets_.push_back(std::move(fd));
  return {};
}

Result<> BpfObject::set_max_entries(const std::string& map, std::uint32_t entries) {
  bpf_map* found = bpf_object__find_map_by_name(object_, map.c_str());
  if (found == nullptr) return Error("the BPF object has no map '" + map + "'");
  if (const int err = bpf_map__set_max_entries(found, entries)) return Error::from_errno("resize map " + map, -err);
  return {};
}

Result<> BpfObject::use_map(const std::string& map, int fd) {
  bpf_map* found = bpf_object__find_map_by_name(object_, map.c_str());
  if (found == nullptr) return Error("the BPF object has no map '" + map + "'");
  if (const int err = bpf_map__reuse_fd(found, fd)) return Error::from_errno("use map " + map, -err);
  return {};
}

Result<> BpfObject::set_data(const std::string& section, std::size_t offset, std::string_view bytes) {
  bpf_map* map = bpf_object__find_map_by_name(object_, section.c_str());
  std::size_t size = 0;
  void* contents = map != nullptr ? bpf_map__initial_value(map, &size) : nullptr;
  if (contents == nullptr || offset > size || bytes.size() > size - offset) return outside(section, offset);
  std::memcpy(static_cast<char*>(contents) + offset, bytes.data(), bytes.size());
  return {};
}

namespace {

/// Calls `use` with the place of a data section of loaded programs.
template <class Use>
Result<> with_data(bpf_object* object, const std::string& section, std::size_t offset, std::size_t bytes, const Use& use) {
  bpf_map* map = bpf_object__find_map_by_name(object, section.c_str());
  const std::size_t size = map != nullptr ? bpf_map__value_size(map) : 0;
  if (offset > size || bytes > size - offset) return outside(section, offset);
  void* contents = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (contents == MAP_FAILED) return Error::from_errno("map " + section);
  use(static_cast<char*>(contents) + offset);
  ::munmap(contents, size);
  return {};
}

}  // namespace

Result<> BpfObject::write_data(const std::string& section, std::size_t offset, std::string_view bytes) {
  return with_data(object_, section, offset, bytes.size(), [&](char* place) { std::memcpy(place, bytes.data(), bytes.size()); });
}

Result<std::string> BpfObject::read_data(const std::string& section, std::size_t offset, std::size_t size) const {
  std::string bytes;
  TRC_CHECK(with_data(object_, section, offset, size, [&](const char* place) { bytes.assign(place, size); }));
  return bytes;
}

Result<> BpfObject::load() {
  std::string said;
  int err = 0;
  {
    const Collect scope(said, with_debug_ ? &debug_log_ : nullptr);
    err = bpf_object__load(object_);
  }
  log_ += said;
  if (err == 0) return {};
  const std::string complaint = first_complaint(said);
  return Error::from_errno(complaint.empty() ? "load the BPF object" : "load the BPF object: " + complaint, -err);
}

std::uint64_t missed_runs(int program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.recursion_misses : 0;
}

Result<int> BpfObject::program(const std::string& function) const {
  bpf_program* program = bpf_object__find_program_by_name(object_, function.c_str());
  if (program == nullptr) return Error("the BPF object has no program '" + function + "'");
  return bpf_program__fd(program);
}

Result<int> BpfObject::map(const std::string& name) const {
  bpf_map* map = bpf_object__find_map_by_name(object_, name.c_str());
  if (map == nullptr) return Error("the BPF object has no map '" + name + "'");
  return bpf_map__fd(map);
}

Result<std::uint32_t> run_raw_tracepoint(int program) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  if (bpf_prog_test_run_opts(program, &options) != 0) return Error::from_errno("run a BPF program once");
  return options.retval;
}

Result<Fd> enable_run_times() {
  Fd statistics(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!statistics) return Error::from_errno("have the kernel measure BPF programs");
  return statistics;
}

std::uint64_t run_time_ns(int program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.run_time_ns : 0;
}

}  // namespace trc::kernel
