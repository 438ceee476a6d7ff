// Each probe asks for something that cannot succeed, in a way that a kernel with the feature refuses differently: one or two calls.
#include "kernel/features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <unistd.h>

#include <cerrno>

#include "base/owned.h"
#include "kernel/bpf_abi.h"
#include "kernel/bpf_link.h"

namespace trc::kernel {
namespace {

bool probe_uprobe_multi() {
  const bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                              {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = static_cast<bpf_attach_type>(abi::kTraceUprobeMulti));
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "trc_probe", "GPL", nothing, 2, &load));
  if (!program || program.get() < 0) return false;
  // A directory is no file to probe: a kernel that knows the request says EBADF, one that does not says EINVAL.
  const unsigned long offset = 0;
  LIBBPF_OPTS(bpf_link_create_opts, link);
  link.uprobe_multi.path = "/";
  link.uprobe_multi.offsets = &offset;
  link.uprobe_multi.cnt = 1;
  const int fd = bpf_link_create(program.get(), -1, static_cast<bpf_attach_type>(abi::kTraceUprobeMulti), &link);
  if (fd >= 0) ::close(fd);
  return fd < 0 && errno == EBADF;
}

bool probe_kprobe_multi() {
  const bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                              {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = BPF_TRACE_KPROBE_MULTI);
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "trc_probe", "GPL", nothing, 2, &load));
  if (!program || program.get() < 0) return false;
  // Addresses that cannot be read: EFAULT where they are wanted; a kernel without fprobe says EOPNOTSUPP, an older one EINVAL.
  LIBBPF_OPTS(bpf_link_create_opts, link);
  link.kprobe_multi.addrs = reinterpret_cast<const unsigned long*>(8);
  link.kprobe_multi.cnt = 1;
  const int fd = bpf_link_create(program.get(), 0, BPF_TRACE_KPROBE_MULTI, &link);
  if (fd >= 0) ::close(fd);
  return fd < 0 && errno == EFAULT;
}

/// Loads a program for a function that every kernel has, and connects it for a moment.
bool probe_trampolines() {
  const int id = libbpf_find_vmlinux_btf_id("bpf_fentry_test1", BPF_TRACE_FENTRY);
  if (id < 0) return false;
  const bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                              {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = BPF_TRACE_FENTRY);
  load.attach_btf_id = static_cast<std::uint32_t>(id);
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_TRACING, "trc_probe", "GPL", nothing, 2, &load));
  if (!program || program.get() < 0) return false;
  const Fd link(bpf_raw_tracepoint_open(nullptr, program.get()));
  return link && link.get() >= 0;
}

bool probe_hardware_counters() {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_HARDWARE;
  attr.config = PERF_COUNT_HW_CPU_CYCLES;
  attr.disabled = 1;
  return open_perf_event(attr, 0, -1).has_value();
}

bool probe_ring_buffer() {
  const int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "trc_probe", 0, 0, static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE)), nullptr);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

bool probe_tracepoint_cookie() {
  // No such program: a kernel with perf event links looks for it (EBADF), an older one refuses the request (EINVAL).
  LIBBPF_OPTS(bpf_link_create_opts, link, .perf_event = {.bpf_cookie = 1});
  return bpf_link_create(-1, -1, BPF_PERF_EVENT, &link) < 0 && errno == EBADF;
}

bool probe_raw_tracepoint_cookie() {
  LIBBPF_OPTS(bpf_raw_tp_opts, options, .tp_name = "sys_enter", .cookie = 1);
  return bpf_raw_tracepoint_open_opts(-1, &options) < 0 && errno == EBADF;
}

}  // namespace

bool probe_feature(Feature feature) {
  switch (feature) {
    case Feature::UprobeMulti: return probe_uprobe_multi();
    case Feature::Kprobe: return ::access("/sys/bus/event_source/devices/kprobe/type", R_OK) == 0;
    case Feature::Trampolines: return probe_trampolines();
    case Feature::HardwareCounters: return probe_hardware_counters();
    case Feature::KprobeMulti: return probe_kprobe_multi();
    case Feature::RingBuffer: return probe_ring_buffer();
    case Feature::TracepointCookie: return probe_tracepoint_cookie();
    case Feature::RawTracepointCookie: return probe_raw_tracepoint_cookie();
    case Feature::BtfVmlinux: return ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  }
  return false;
}

}  // namespace trc::kernel
