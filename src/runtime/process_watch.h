// Listens to what processes map, fork and execute, so that addresses of a process can be named when it is gone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "probes/provider.h"
#include "symbols/symbolizer.h"

namespace trc::runtime {

class ProcessWatch {
 public:
  /// Watches the command and its descendants, or every process. Null where the kernel does not allow it: then only processes that are
  /// still there can be named.
  static std::unique_ptr<ProcessWatch> start(symbols::Symbolizer& symbolizer, const probes::Scope& scope, const std::vector<std::uint32_t>& cpus);
  virtual ~ProcessWatch() = default;

  /// Passes on to the symbolizer what has come, in the order of time. A thread of the watch does that as it comes, since files that have no path
  /// are reachable only while the process lives; this is for who cannot wait. Costs nothing much when nothing has come. For any thread.
  virtual void drain() = 0;
  /// How many records the kernel had no room for. The maps of all processes were read again then.
  virtual std::uint64_t lost() const = 0;
};

/// One record of a perf buffer, its time (CLOCK_MONOTONIC) in the last 8 bytes, as far as it concerns mappings; anything else is ignored.
/// Exposed for tests.
void apply_perf_record(std::span<const std::byte> record, symbols::Symbolizer& symbolizer);

}  // namespace trc::runtime
