// A kernel for the tests of probes: a folder shaped like tracefs, and fixed numbers.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/btf.h"
#include "kernel/facts.h"
#include "kernel/tracefs.h"

namespace trc::probes {

class FakeFacts : public kernel::Facts {
 public:
  Result<std::string> tracefs() const override {
    if (events_folder.empty()) return Error("tracefs is not mounted").hint("mount it");
    return events_folder;
  }
  Result<std::vector<std::string>> tracepoints() const override {
    TRC_TRY(directory, tracefs());
    return kernel::read_tracepoints(directory);
  }
  Result<kernel::TracepointFormat> tracepoint(const std::string& category, const std::string& event) const override {
    TRC_TRY(directory, tracefs());
    return kernel::read_tracepoint_format(directory, category, event);
  }
  Result<std::vector<std::string>> raw_tracepoints() const override {
    if (raw_arguments.empty()) return Error("no BTF here");
    std::vector<std::string> names;
    for (const auto& [name, arguments] : raw_arguments) names.push_back(name);
    return names;
  }
  Result<std::uint32_t> raw_tracepoint_arguments(const std::string& name) const override {
    for (const auto& [full_name, arguments] : raw_arguments)
      if (full_name.substr(full_name.find(':') + 1) == name) return arguments;
    return Error("no such raw tracepoint");
  }
  Result<const kernel::KernelFunctions*> kernel_functions() const override {
    if (!functions) return Error("no functions here");
    return &*functions;
  }
  Result<const kernel::Btf*> btf(std::size_t number) const override {
    if (number >= btfs.size()) return Error("no BTF here");
    return btfs[number].second.get();
  }
  std::vector<std::string> btf_names() const override {
    std::vector<std::string> names;
    for (const auto& [name, btf] : btfs) names.push_back(name);
    return names;
  }
  Result<std::vector<kernel::BpfFunction>> bpf_functions() const override { return programs; }
  bool has(kernel::Feature feature) const override { return (feature != kernel::Feature::Kprobe || functions) && !lacks.contains(feature); }
  std::uint32_t possible_cpus() const override { return 2; }
  std::vector<std::uint32_t> online_cpus() const override { return {0, 1}; }
  std::uint64_t max_sample_rate() const override { return 100'000; }
  std::uint64_t max_kernel_stack() const override { return 127; }
  bool in_initial_pid_namespace() const override { return true; }

  /// The first is vmlinux, which modules continue.
  void add_btf(const std::string& name, const std::string& bytes) {
    const kernel::Btf* base = btfs.empty() ? nullptr : btfs.front().second.get();
    btfs.emplace_back(name, std::make_unique<kernel::Btf>(*kernel::Btf::parse(bytes, base)));
  }

  std::optional<kernel::KernelFunctions> functions;
  std::vector<std::pair<std::string, std::unique_ptr<kernel::Btf>>> btfs;
  std::vector<kernel::BpfFunction> programs;
  std::set<kernel::Feature> lacks;
  std::string events_folder;                           ///< a folder shaped like tracefs; empty: not mounted
  std::map<std::string, std::uint32_t> raw_arguments;  ///< "module:name" to number of arguments; empty: no BTF
};

}  // namespace trc::probes
