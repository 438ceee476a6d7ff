// What the running kernel and this process may do, read once and only when asked for; replaced by a fake in tests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/bpf_programs.h"
#include "kernel/kernel_functions.h"

namespace trc::kernel {

class Btf;
enum class ProgramType : std::uint8_t;

/// One field of a trace event, from the tracefs `format` file.
struct TracepointField {
  std::string name;
  std::string type;        ///< as written: "const char *", "int", "char[16]", "__data_loc char[]"
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  bool is_signed = false;
};
struct TracepointFormat {
  std::uint32_t id = 0;
  std::vector<TracepointField> fields;  ///< without common_*
};

enum class Feature : std::uint8_t {
  UprobeMulti, RingBuffer, TracepointCookie, RawTracepointCookie, BtfVmlinux,
  Kprobe,        ///< perf events on kernel instructions (CONFIG_KPROBE_EVENTS)
  Trampolines,   ///< fentry and fexit
  HardwareCounters,  ///< a PMU: perf events of type PERF_TYPE_HARDWARE
  KprobeMulti,   ///< one link for many kernel functions (CONFIG_FPROBE, 5.18)
};

class Facts {
 public:
  virtual ~Facts() = default;
  /// Directory with events/, mounted privately when needed and allowed; the error says why not and how.
  virtual Result<std::string> tracefs() const = 0;
  /// "category/event" pairs; from tracefs.
  virtual Result<std::vector<std::string>> tracepoints() const = 0;
  virtual Result<TracepointFormat> tracepoint(const std::string& category, const std::string& event) const = 0;
  /// Only its id: cheaper than the whole format where many events are attached to.
  virtual Result<std::uint32_t> tracepoint_id(const std::string& category, const std::string& event) const {
    TRC_TRY(format, tracepoint(category, event));
    return format.id;
  }
  /// "module:name" of every raw tracepoint, module "vmlinux" for those built in; from BTF ("btf_trace_*").
  virtual Result<std::vector<std::string>> raw_tracepoints() const = 0;
  /// Number of arguments of a raw tracepoint, from BTF.
  virtual Result<std::uint32_t> raw_tracepoint_arguments(const std::string& name) const = 0;
  /// The kernel's type information: number 0 is vmlinux, then come its modules. Kept until the end. Errors: there is none, it is damaged.
  virtual Result<const Btf*> btf(std::size_t number) const {
    (void)number;
    return Error("this kernel has no type information (BTF)");
  }
  /// The module of each number; "vmlinux" is the first.
  virtual std::vector<std::string> btf_names() const { return {}; }
  /// The functions of the kernel; kept, so it stays valid. Reading them takes the kernel some 50 ms.
  virtual Result<const KernelFunctions*> kernel_functions() const { return Error("the functions of the kernel are not known"); }
  /// The functions of the BPF programs that are loaded now; read once, so that what trc loads itself is not among them.
  virtual Result<std::vector<BpfFunction>> bpf_functions() const { return Error("the BPF programs of the kernel are not known"); }
  /// The kernel or a module of it has a function of this name in its type information.
  virtual bool has_kernel_function(const std::string& name) const { return (void)name, false; }
  /// Programs of this kind may call the kernel's function of this name.
  virtual bool allows_kfunc(const std::string& name, ProgramType type) const { return (void)name, (void)type, false; }
  virtual bool has(Feature feature) const = 0;
  virtual std::uint32_t possible_cpus() const = 0;
  virtual std::vector<std::uint32_t> online_cpus() const = 0;
  /// /proc/sys/kernel/perf_event_max_sample_rate.
  virtual std::uint64_t max_sample_rate() const = 0;
  /// /proc/sys/kernel/perf_event_max_stack.
  virtual std::uint64_t max_kernel_stack() const = 0;
  virtual bool in_initial_pid_namespace() const = 0;
};

/// The real one.
Facts& system_facts();
/// A file that system_facts() reads instead of tracefs' available_filter_functions; before the first question. Empty: that one.
void set_traceable_functions(const std::string& file);

/// What stands in the way of tracing at all: missing capabilities (each named), lockdown. Ok when nothing does.
Result<> check_privileges();

}  // namespace trc::kernel
