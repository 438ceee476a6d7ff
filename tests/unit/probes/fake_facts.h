// A kernel for the tests of probes: a folder shaped like tracefs, and fixed numbers.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

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
  bool has(kernel::Feature feature) const override { return (feature != kernel::Feature::Kprobe || functions) && !lacks.contains(feature); }
  std::uint32_t possible_cpus() const override { return 2; }
  std::vector<std::uint32_t> online_cpus() const override { return {0, 1}; }
  std::uint64_t max_sample_rate() const override { return 100'000; }
  std::uint64_t max_kernel_stack() const override { return 127; }
  bool in_initial_pid_namespace() const override { return true; }

  std::optional<kernel::KernelFunctions> functions;
  std::set<kernel::Feature> lacks;
  std::string events_folder;                           ///< a folder shaped like tracefs; empty: not mounted
  std::map<std::string, std::uint32_t> raw_arguments;  ///< "module:name" to number of arguments; empty: no BTF
};

}  // namespace trc::probes
