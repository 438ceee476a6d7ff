// A kernel for the tests of probes: a folder shaped like tracefs, and fixed numbers.
#pragma once

#include <string>
#include <vector>

#include "kernel/facts.h"

namespace trc::probes {

class FakeFacts : public kernel::Facts {
 public:
  Result<std::string> tracefs() const override { return Error("no tracefs here"); }
  Result<std::vector<std::string>> tracepoints() const override { return Error("no tracefs here"); }
  Result<kernel::TracepointFormat> tracepoint(const std::string&, const std::string&) const override { return Error("no tracefs here"); }
  Result<std::vector<std::string>> raw_tracepoints() const override { return raw_names; }
  Result<std::uint32_t> raw_tracepoint_arguments(const std::string&) const override { return raw_arguments; }
  bool has(kernel::Feature) const override { return true; }
  std::uint32_t possible_cpus() const override { return 2; }
  std::vector<std::uint32_t> online_cpus() const override { return {0, 1}; }
  std::uint64_t max_sample_rate() const override { return 100'000; }
  bool in_initial_pid_namespace() const override { return true; }

  std::vector<std::string> raw_names;
  std::uint32_t raw_arguments = 3;
};

}  // namespace trc::probes
