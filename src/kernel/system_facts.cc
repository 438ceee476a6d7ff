// Facts about the running kernel: each is read when it is first asked for, and kept.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>

#include "base/read_file.h"
#include "base/strings.h"
#include "kernel/btf.h"
#include "kernel/facts.h"
#include "kernel/features.h"
#include "kernel/kfunc.h"
#include "kernel/tracefs.h"

namespace trc::kernel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBtfFolder = "/sys/kernel/btf";
constexpr std::uint64_t kUsualMaxStack = 127;   // PERF_MAX_STACK_DEPTH

/// "0-3,8" as numbers; empty if the file cannot be read.
std::vector<std::uint32_t> read_cpu_list(const char* path) {
  std::vector<std::uint32_t> cpus;
  const auto text = read_file(path);
  if (!text) return cpus;
  for (const std::string& part : split(trim(*text), ',')) {
    const std::size_t dash = part.find('-');
    const auto first = parse_unsigned(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : parse_unsigned(part.substr(dash + 1));
    if (!first || !last || *last < *first || *last > 65'535) continue;
    for (auto cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<std::uint32_t>(cpu));
  }
  return cpus;
}

std::string& traceable_functions_file() {
  static std::string file;
  return file;
}

class SystemFacts final : public Facts {
 public:
  Result<std::string> tracefs() const override {
    if (!tracefs_) tracefs_ = std::make_unique<Result<Tracefs>>(find_tracefs());
    if (!*tracefs_) return (*tracefs_).error();
    return (**tracefs_).directory;
  }

  Result<std::vector<std::string>> tracepoints() const override {
    if (tracepoints_.empty()) {
      TRC_TRY(directory, tracefs());
      TRC_TRY(names, read_tracepoints(directory));
      tracepoints_ = std::move(names);
    }
    return tracepoints_;
  }

  Result<TracepointFormat> tracepoint(const std::string& category, const std::string& event) const override {
    TRC_TRY(directory, tracefs());
    return read_tracepoint_format(directory, category, event);
  }

  Result<std::uint32_t> tracepoint_id(const std::string& category, const std::string& event) const override {
    TRC_TRY(directory, tracefs());
    return read_tracepoint_id(directory, category, event);
  }

  Result<std::vector<std::string>> raw_tracepoints() const override {
    TRC_CHECK(load_raw_tracepoints());
    return raw_names_;
  }

  Result<std::uint32_t> raw_tracepoint_arguments(const std::string& name) const override {
    TRC_CHECK(load_raw_tracepoints());
    if (const auto place = raw_arguments_.find(name); place != raw_arguments_.end()) return place->second;
    return Error(fmt::format("there is no raw tracepoint {} in the kernel's BTF", name));
  }

  Result<const Btf*> btf(std::size_t number) const override {
    const std::vector<std::string> names = btf_names();
    if (number >= names.size()) return Error("there is no such kernel module");
    btf_.resize(names.size());
    if (!btf_[number]) {
      const Btf* base = nullptr;
      if (number != 0) {
        TRC_TRY(vmlinux, btf(0));
        base = vmlinux;
      }
      auto opened = Btf::open(fs::path(kBtfFolder) / names[number], base);
      if (!opened) return std::move(opened).error();
      btf_[number] = std::make_unique<Btf>(std::move(*opened));
    }
    return btf_[number].get();
  }

  /// Read once: a module that is loaded meanwhile must not move the others.
  std::vector<std::string> btf_names() const override {
    if (!btf_names_.empty()) return btf_names_;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(kBtfFolder, ignored)) btf_names_.push_back(entry.path().filename());
    std::sort(btf_names_.begin(), btf_names_.end());
    std::erase(btf_names_, "vmlinux");
    btf_names_.insert(btf_names_.begin(), "vmlinux");
    return btf_names_;
  }

  Result<const KernelFunctions*> kernel_functions() const override {
    if (!functions_) {
      std::string traceable = traceable_functions_file();
      if (traceable.empty()) {
        if (const auto directory = tracefs()) traceable = *directory + "/available_filter_functions";
      }
      TRC_TRY(read, read_kernel_functions(traceable));
      functions_ = std::make_unique<KernelFunctions>(std::move(read));
    }
    return functions_.get();
  }

  Result<std::vector<BpfFunction>> bpf_functions() const override {
    if (!bpf_functions_) bpf_functions_ = std::make_unique<Result<std::vector<BpfFunction>>>(loaded_bpf_functions());
    return *bpf_functions_;
  }

  bool has_kernel_function(const std::string& name) const override { return find_function(name).has_value(); }

  bool allows_kfunc(const std::string& name, ProgramType type) const override {
    const auto found = find_function(name);
    return found && kernel::allows_kfunc(found->first, found->second, type);
  }

  bool has(Feature feature) const override {
    const auto index = static_cast<std::size_t>(feature);
    if (index >= features_.size()) return probe_feature(feature);
    if (!features_[index]) features_[index] = probe_feature(feature);
    return *features_[index];
  }

  std::uint32_t possible_cpus() const override {
    const std::vector<std::uint32_t> cpus = read_cpu_list("/sys/devices/system/cpu/possible");
    if (!cpus.empty()) return cpus.back() + 1;
    return static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));
  }

  std::vector<std::uint32_t> online_cpus() const override {
    std::vector<std::uint32_t> cpus = read_cpu_list("/sys/devices/system/cpu/online");
    if (cpus.empty())
      for (long cpu = 0; cpu < std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)); ++cpu) cpus.push_back(static_cast<std::uint32_t>(cpu));
    return cpus;
  }

  std::uint64_t max_sample_rate() const override {
    const auto text = read_file("/proc/sys/kernel/perf_event_max_sample_rate");
    return text ? parse_unsigned(trim(*text)).value_or(0) : 0;
  }

  std::uint64_t max_kernel_stack() const override {
    const auto text = read_file("/proc/sys/kernel/perf_event_max_stack");
    return text ? parse_unsigned(trim(*text)).value_or(kUsualMaxStack) : kUsualMaxStack;
  }

  bool in_initial_pid_namespace() const override {
    // The initial namespace has a fixed inode number (PROC_PID_INIT_INO).
    struct stat st {};
    return ::stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == 0xEFFFFFFC;
  }

 private:
  /// The module, "vmlinux" first, and the BTF id of a function.
  std::optional<std::pair<std::string, std::uint32_t>> find_function(const std::string& name) const {
    const std::vector<std::string> names = btf_names();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto one = btf(i);
      const auto id = one ? (*one)->find(BtfKind::Function, name) : std::nullopt;
      if (id) return std::pair(names[i], *id);
    }
    return std::nullopt;
  }

  /// vmlinux first, then every module that has BTF.
  Result<> load_raw_tracepoints() const {
    if (!raw_names_.empty()) return {};
    TRC_TRY(vmlinux, btf(0));
    const std::vector<std::string> names = btf_names();
    add_raw_tracepoints(names.front(), *vmlinux);
    for (std::size_t i = 1; i < names.size(); ++i) {
      if (const auto module = btf(i)) add_raw_tracepoints(names[i], **module);
    }
    return {};
  }

  void add_raw_tracepoints(const std::string& module, const Btf& btf) const {
    for (const RawTracepoint& event : btf.raw_tracepoints()) {
      raw_names_.push_back(module + ":" + event.name);
      raw_arguments_.emplace(event.name, event.arguments);
    }
  }

  mutable std::vector<std::string> btf_names_;
  mutable std::vector<std::unique_ptr<Btf>> btf_;            // by number
  mutable std::unique_ptr<Result<Tracefs>> tracefs_;
  mutable std::vector<std::string> tracepoints_;
  mutable std::unique_ptr<KernelFunctions> functions_;
  mutable std::unique_ptr<Result<std::vector<BpfFunction>>> bpf_functions_;
  mutable std::vector<std::string> raw_names_;               // "module:name"
  mutable std::map<std::string, std::uint32_t> raw_arguments_;
  mutable std::array<std::optional<bool>, 16> features_;
};

}  // namespace

void set_traceable_functions(const std::string& file) { traceable_functions_file() = file; }

Facts& system_facts() {
  static SystemFacts facts;
  return facts;
}

}  // namespace trc::kernel
