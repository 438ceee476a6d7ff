// The executable mappings of a process as /proc/PID/maps shows them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/symbolizer.h"

namespace trc::symbols {

struct MapsLine {
  Mapping mapping;
  bool deleted = false;   ///< the path does not lead to the file any more
};

/// Takes the kernel's mark of a deleted file off a mapping's path.
MapsLine from_kernel(Mapping mapping);

/// The executable mappings in the text of a maps file; lines that make no sense are passed over.
std::vector<MapsLine> parse_maps(std::string_view text);

/// When the process started, in the kernel's ticks, from /proc/PID/stat: tells two processes with one number apart. nullopt: no such process.
std::optional<std::uint64_t> start_time(std::uint32_t pid);

}  // namespace trc::symbols
