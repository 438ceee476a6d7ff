#include "kernel/bpf_link.h"

#include <bpf/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "kernel/bpf_abi.h"

namespace trc::kernel {
namespace {

/// A number from sysfs, after an optional "config:" prefix and up to a '-'.
std::optional<std::uint32_t> sysfs_number(const std::string& path) {
  std::ifstream in(path);
  std::string text;
  if (!std::getline(in, text)) return std::nullopt;
  if (const auto colon = text.find(':'); colon != std::string::npos) text.erase(0, colon + 1);
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
}

struct ProbePmu {
  std::optional<std::uint32_t> type, return_bit, semaphore_shift;
};
ProbePmu read_pmu(const std::string& name) {
  const std::string base = "/sys/bus/event_source/devices/" + name + "/";
  return {sysfs_number(base + "type"), sysfs_number(base + "format/retprobe"), sysfs_number(base + "format/ref_ctr_offset")};
}
const ProbePmu& uprobe_pmu() {
  static const ProbePmu pmu = read_pmu("uprobe");
  return pmu;
}
const ProbePmu& kprobe_pmu() {
  static const ProbePmu pmu = read_pmu("kprobe");
  return pmu;
}

/// Connects a program with a perf event; the cookie needs a link (5.15), without one an ioctl does on older kernels.
Result<PerfLink> connect(int program, Fd event, std::optional<std::uint64_t> cookie) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event = {.bpf_cookie = cookie.value_or(0)});
  const int link = bpf_link_create(program, event.get(), BPF_PERF_EVENT, &options);
  if (link >= 0) return PerfLink{std::move(event), Fd(link)};
  if (errno != EINVAL || cookie.has_value()) return Error::from_errno("connect the program");
  if (::ioctl(event.get(), PERF_EVENT_IOC_SET_BPF, program) != 0) return Error::from_errno("connect the program");
  return PerfLink{std::move(event), Fd()};
}

}  // namespace

Result<Fd> open_perf_event(perf_event_attr& attr, std::int32_t task, int cpu) {
  attr.size = sizeof attr;
  const long fd = ::syscall(SYS_perf_event_open, &attr, task, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) return Error::from_errno("open the perf event");
  return Fd(static_cast<int>(fd));
}

Result<Fd> attach_uprobe_multi(int program, const UprobeMulti& request) {
  LIBBPF_OPTS(bpf_link_create_opts, options);
  options.uprobe_multi.path = request.path.c_str();
  options.uprobe_multi.offsets = request.offsets.data();
  options.uprobe_multi.ref_ctr_offsets = request.semaphores.empty() ? nullptr : request.semaphores.data();
  options.uprobe_multi.cookies = request.cookies.empty() ? nullptr : reinterpret_cast<const __u64*>(request.cookies.data());
  options.uprobe_multi.cnt = static_cast<std::uint32_t>(request.offsets.size());
  options.uprobe_multi.flags = request.is_return ? abi::kUprobeMultiReturn : 0;
  options.uprobe_multi.pid = request.pid > 0 ? static_cast<std::uint32_t>(request.pid) : 0;
  const int link = bpf_link_create(program, 0, static_cast<bpf_attach_type>(abi::kTraceUprobeMulti), &options);
  if (link < 0) return Error::from_errno(request.path);
  return Fd(link);
}

Result<PerfLink> attach_uprobe_event(int program, const UprobeEvent& request, std::optional<std::uint64_t> cookie) {
  const ProbePmu& pmu = uprobe_pmu();
  if (!pmu.type) return Error("this kernel has no uprobes (CONFIG_UPROBE_EVENTS is off)");
  perf_event_attr attr{};
  attr.type = *pmu.type;
  attr.sample_period = 1;
  attr.wakeup_events = 1;
  attr.config1 = reinterpret_cast<std::uint64_t>(request.path.c_str());
  attr.config2 = request.offset;
  if (request.is_return) {
    if (!pmu.return_bit) return Error("this kernel has no uretprobes");
    attr.config |= std::uint64_t{1} << *pmu.return_bit;
  }
  if (request.semaphore != 0) {
    if (!pmu.semaphore_shift) return Error("this kernel does not count USDT semaphores (4.20 and later do)");
    attr.config |= request.semaphore << *pmu.semaphore_shift;
  }
  const bool one_task = request.pid > 0;
  TRC_TRY(event, open_perf_event(attr, one_task ? request.pid : -1, one_task ? -1 : 0));
  return connect(program, std::move(event), cookie);
}

Result<Fd> attach_kprobe_multi(int program, const KprobeMulti& request) {
  LIBBPF_OPTS(bpf_link_create_opts, options);
  const bool by_address = !request.addresses.empty();
  if (by_address) options.kprobe_multi.addrs = reinterpret_cast<const unsigned long*>(request.addresses.data());
  else options.kprobe_multi.syms = const_cast<const char**>(request.names.data());
  options.kprobe_multi.cnt = static_cast<std::uint32_t>(by_address ? request.addresses.size() : request.names.size());
  options.kprobe_multi.cookies = request.cookies.empty() ? nullptr : reinterpret_cast<const __u64*>(request.cookies.data());
  options.kprobe_multi.flags = request.is_return ? BPF_F_KPROBE_MULTI_RETURN : 0;
  const int link = bpf_link_create(program, 0, BPF_TRACE_KPROBE_MULTI, &options);
  if (link < 0) return Error::from_errno("connect the program");
  return Fd(link);
}

Result<PerfLink> attach_kprobe_event(int program, const KprobeEvent& request, std::optional<std::uint64_t> cookie) {
  const ProbePmu& pmu = kprobe_pmu();
  if (!pmu.type) return Error("this kernel has no kprobes (CONFIG_KPROBE_EVENTS is off)");
  perf_event_attr attr{};
  attr.type = *pmu.type;
  attr.sample_period = 1;
  attr.wakeup_events = 1;
  attr.config1 = request.function.empty() ? 0 : reinterpret_cast<std::uint64_t>(request.function.c_str());
  attr.config2 = request.offset;
  if (request.is_return) {
    if (!pmu.return_bit) return Error("this kernel has no kretprobes");
    attr.config |= std::uint64_t{1} << *pmu.return_bit;
  }
  TRC_TRY(event, open_perf_event(attr, -1, 0));
  return connect(program, std::move(event), cookie);
}

Result<PerfLink> attach_tracepoint(int program, std::uint32_t id, std::optional<std::uint64_t> cookie) {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_TRACEPOINT;
  attr.config = id;
  attr.sample_period = 1;
  attr.wakeup_events = 1;
  TRC_TRY(event, open_perf_event(attr, -1, 0));
  return connect(program, std::move(event), cookie);
}

Result<Fd> attach_raw_tracepoint(int program, const std::string& event, std::optional<std::uint64_t> cookie) {
  LIBBPF_OPTS(bpf_raw_tp_opts, options, .tp_name = event.c_str(), .cookie = cookie.value_or(0));
  const int link = bpf_raw_tracepoint_open_opts(program, &options);
  if (link < 0) return Error::from_errno("raw tracepoint " + event);
  return Fd(link);
}

Result<Fd> attach_function(int program, std::optional<std::uint64_t> cookie) {
  LIBBPF_OPTS(bpf_raw_tp_opts, options, .cookie = cookie.value_or(0));
  const int link = bpf_raw_tracepoint_open_opts(program, &options);
  if (link < 0) return Error::from_errno("connect the program");
  return Fd(link);
}

Result<Fd> attach_iterator(int program, const Iteration& request) {
  LIBBPF_OPTS(bpf_link_create_opts, options);
  bpf_iter_link_info info{};
  if (request.kind == "cgroup") {
    info.cgroup.order = BPF_CGROUP_ITER_DESCENDANTS_PRE;   // from the root; the kernel takes no default
  } else if (request.pid > 0) {
    info.task.pid = static_cast<std::uint32_t>(request.pid);
  }
  if (request.kind == "cgroup" || request.pid > 0) {
    options.iter_info = &info;
    options.iter_info_len = sizeof info;
  }
  const int link = bpf_link_create(program, 0, BPF_TRACE_ITER, &options);
  if (link < 0) return Error::from_errno("connect the program");
  return Fd(link);
}

Result<Fd> open_iterator(int link) {
  const int iterator = bpf_iter_create(link);
  if (iterator < 0) return Error::from_errno("run the iterator");
  return Fd(iterator);
}

Result<bool> read_iterator(int iterator, std::size_t bytes) {
  std::string thrown_away(bytes, '\0');
  for (;;) {
    const ssize_t got = ::read(iterator, thrown_away.data(), thrown_away.size());
    if (got >= 0) return got != 0;
    if (errno != EAGAIN && errno != EINTR) return Error::from_errno("run the iterator");   // EAGAIN: many elements, of which none was written about
  }
}

Result<> pin_link(int link, const std::string& path) {
  if (bpf_obj_pin(link, path.c_str()) != 0) return Error::from_errno("pin to " + path);
  return {};
}

Result<PerfLink> attach_sampling(int program, const Sampling& sampling, std::int32_t task, int cpu, Inherit inherit, std::optional<std::uint64_t> cookie) {
  perf_event_attr attr{};
  attr.type = sampling.type;
  attr.config = sampling.config;
  if (sampling.type == PERF_TYPE_BREAKPOINT) {
    attr.bp_addr = sampling.address;
    attr.bp_len = sampling.length;
    attr.bp_type = sampling.access;
  }
  if (sampling.frequency != 0) {
    attr.freq = 1;
    attr.sample_freq = sampling.frequency;
  } else {
    attr.sample_period = sampling.period;
  }
  attr.inherit = task > 0 ? 1 : 0;
  attr.inherit_thread = task > 0 && inherit == Inherit::Threads ? 1 : 0;
  auto event = open_perf_event(attr, task, cpu);
  if (!event && event.error().code() == EINVAL && attr.inherit_thread != 0) {   // before 5.13
    attr.inherit_thread = 0;
    event = open_perf_event(attr, task, cpu);
  }
  if (!event) return std::move(event).error();
  return connect(program, std::move(*event), cookie);
}

std::uint64_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  // As root the hard limit can be lifted too, up to fs.nr_open.
  std::ifstream in("/proc/sys/fs/nr_open");
  rlim_t most = 0;
  if (in >> most && most > limit.rlim_max) {
    const rlimit lifted{most, most};
    if (::setrlimit(RLIMIT_NOFILE, &lifted) == 0) return most;
  }
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur;
}

}  // namespace trc::kernel
