// The trace events of a kernel as tracefs shows them. `directory` is where events/ lies; tests use a folder of that shape.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/owned.h"
#include "base/result.h"
#include "kernel/facts.h"

namespace trc::kernel {

/// Where tracefs can be read. `mount` is set when trc mounted one of its own, which nobody else sees and which is gone with it.
struct Tracefs {
  std::string directory;
  Fd mount;
};
/// The usual places, then /proc/mounts, then a private mount. The error says how to mount it by hand.
Result<Tracefs> find_tracefs();

/// "category:event" of every event that can be traced, sorted.
Result<std::vector<std::string>> read_tracepoints(const std::string& directory);

/// Reads events/CATEGORY/EVENT/format. Error code ENOENT: there is no such event.
Result<TracepointFormat> read_tracepoint_format(const std::string& directory, const std::string& category, const std::string& event);
/// Reads events/CATEGORY/EVENT/id.
Result<std::uint32_t> read_tracepoint_id(const std::string& directory, const std::string& category, const std::string& event);
/// The text of a format file.
Result<TracepointFormat> parse_tracepoint_format(std::string_view text);

}  // namespace trc::kernel
