#include "kernel/inspect.h"

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/owned.h"
#include "kernel/facts.h"
#include "kernel/kfunc.h"
#include "kernel/privileges.h"

namespace trc::kernel {
namespace {

std::string yes_no(bool yes) { return yes ? "yes" : "no"; }

struct HelperRow { const char* name; bpf_func_id id; bpf_prog_type type; };
constexpr HelperRow kHelpers[] = {
    {"copy_from_user", BPF_FUNC_copy_from_user, BPF_PROG_TYPE_KPROBE},
    {"d_path", BPF_FUNC_d_path, BPF_PROG_TYPE_TRACING},
    {"for_each_map_elem", BPF_FUNC_for_each_map_elem, BPF_PROG_TYPE_KPROBE},
    {"get_attach_cookie", BPF_FUNC_get_attach_cookie, BPF_PROG_TYPE_KPROBE},
    {"get_boot_ns", BPF_FUNC_ktime_get_boot_ns, BPF_PROG_TYPE_KPROBE},
    {"get_current_cgroup_id", BPF_FUNC_get_current_cgroup_id, BPF_PROG_TYPE_KPROBE},
    {"get_func_ip", BPF_FUNC_get_func_ip, BPF_PROG_TYPE_KPROBE},
    {"get_ns_current_pid_tgid", BPF_FUNC_get_ns_current_pid_tgid, BPF_PROG_TYPE_KPROBE},
    {"get_tai_ns", BPF_FUNC_ktime_get_tai_ns, BPF_PROG_TYPE_KPROBE},
    {"jiffies64", BPF_FUNC_jiffies64, BPF_PROG_TYPE_KPROBE},
    {"loop", BPF_FUNC_loop, BPF_PROG_TYPE_KPROBE},
    {"map_lookup_percpu_elem", BPF_FUNC_map_lookup_percpu_elem, BPF_PROG_TYPE_KPROBE},
    {"override_return", BPF_FUNC_override_return, BPF_PROG_TYPE_KPROBE},
    {"ringbuf_reserve", BPF_FUNC_ringbuf_reserve, BPF_PROG_TYPE_KPROBE},
    {"send_signal", BPF_FUNC_send_signal, BPF_PROG_TYPE_KPROBE},
    {"skb_output", BPF_FUNC_skb_output, BPF_PROG_TYPE_TRACING},
    {"strncmp", BPF_FUNC_strncmp, BPF_PROG_TYPE_KPROBE},
};

FindingGroup system_group() {
  utsname name{};
  ::uname(&name);
  return {"System", {{"OS", std::string(name.sysname) + " " + name.release + " " + name.version}, {"Arch", name.machine}}};
}

FindingGroup user_group(const PrivilegeFacts& facts) {
  struct { const char* name; unsigned number; } constexpr kCapabilities[] = {
      {"CAP_BPF", 39}, {"CAP_PERFMON", 38}, {"CAP_SYS_ADMIN", 21}, {"CAP_DAC_READ_SEARCH", 2}, {"CAP_DAC_OVERRIDE", 1}, {"CAP_SYS_PTRACE", 19}};
  FindingGroup group{"User", {{"uid", std::to_string(::geteuid())}}};
  for (const auto& [name, number] : kCapabilities) group.findings.push_back({name, yes_no(has_capability(facts.capabilities, number))});
  group.findings.push_back({"initial user namespace", yes_no(facts.initial_user_namespace)});
  group.findings.push_back({"initial pid namespace", yes_no(system_facts().in_initial_pid_namespace())});
  group.findings.push_back({"seccomp filter", yes_no(facts.seccomp)});
  group.findings.push_back({"lockdown", facts.lockdown.empty() ? "none" : facts.lockdown});
  group.findings.push_back({"bpf()", facts.bpf_errno == 0 ? "yes" : std::string("no (") + std::strerror(facts.bpf_errno) + ")"});
  const Result<> judged = judge_privileges(facts);
  group.findings.push_back({"may trace", judged ? "yes" : "no: " + judged.error().message()});
  return group;
}

bool opens(perf_event_attr attr) {
  attr.size = sizeof attr;
  attr.disabled = 1;
  const Fd event(static_cast<int>(::syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  return static_cast<bool>(event);
}

bool has_hardware_counters() {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_HARDWARE;
  attr.config = PERF_COUNT_HW_CPU_CYCLES;
  return opens(attr);
}

bool has_watchpoints() {
  static std::uint64_t word;
  perf_event_attr attr{};
  attr.type = PERF_TYPE_BREAKPOINT;
  attr.bp_type = HW_BREAKPOINT_W;
  attr.bp_addr = reinterpret_cast<std::uintptr_t>(&word);
  attr.bp_len = HW_BREAKPOINT_LEN_8;
  return opens(attr);
}

bool has_event_source(const char* name) { return ::access((std::string("/sys/bus/event_source/devices/") + name).c_str(), F_OK) == 0; }
/// libbpf does not know of programs that are bound to something; those of iterators may call what fentry may.
bool has_helper(const HelperRow& row) {
  if (row.type == BPF_PROG_TYPE_TRACING) return allows_helper(row.id, ProgramType::Iterator);
  return libbpf_probe_bpf_helper(row.type, row.id, nullptr) == 1;
}
bool has_program(bpf_prog_type type) { return libbpf_probe_bpf_prog_type(type, nullptr) == 1; }

}  // namespace

std::string libbpf_version() { return std::to_string(libbpf_major_version()) + "." + std::to_string(libbpf_minor_version()); }

std::vector<FindingGroup> inspect() {
  // libbpf says on standard error what it finds; here "no" is an answer.
  const libbpf_print_fn_t printer = libbpf_set_print(nullptr);
  const PrivilegeFacts privileges = gather_privilege_facts();
  const Facts& facts = system_facts();
  FindingGroup helpers{"Kernel helpers", {}};
  for (const HelperRow& row : kHelpers) helpers.findings.push_back({row.name, yes_no(has_helper(row))});
  FindingGroup features{"Kernel features",
                        {{"btf", yes_no(facts.has(Feature::BtfVmlinux))},
                         {"ring buffer", yes_no(facts.has(Feature::RingBuffer))},
                         {"cookies of tracepoints", yes_no(facts.has(Feature::TracepointCookie))},
                         {"cookies of raw tracepoints", yes_no(facts.has(Feature::RawTracepointCookie))},
                         {"uprobe_multi", yes_no(facts.has(Feature::UprobeMulti))},
                         {"kprobe_multi", yes_no(facts.has(Feature::KprobeMulti))},
                         {"possible CPUs", std::to_string(facts.possible_cpus())},
                         {"largest sample rate", std::to_string(facts.max_sample_rate())}}};
  const bool has_iterators = facts.has(Feature::BtfVmlinux) && allows_helper(BPF_FUNC_seq_write, ProgramType::Iterator);
  FindingGroup probes{"Probe types",
                      {{"kprobe", yes_no(has_event_source("kprobe") && has_program(BPF_PROG_TYPE_KPROBE))},
                       {"uprobe", yes_no(has_event_source("uprobe") && has_program(BPF_PROG_TYPE_KPROBE))},
                       {"tracepoint", yes_no(facts.tracefs().has_value() && has_program(BPF_PROG_TYPE_TRACEPOINT))},
                       {"rawtracepoint", yes_no(has_program(BPF_PROG_TYPE_RAW_TRACEPOINT))},
                       {"fentry", yes_no(facts.has(Feature::Trampolines))},
                       {"iter", yes_no(has_iterators)},
                       {"software", yes_no(has_program(BPF_PROG_TYPE_PERF_EVENT))},
                       {"hardware", yes_no(has_hardware_counters())},
                       {"watchpoint", yes_no(has_watchpoints())}}};
  libbpf_set_print(printer);
  return {system_group(), user_group(privileges), std::move(helpers), std::move(features), std::move(probes)};
}

}  // namespace trc::kernel
