// The executable mappings of a process: reading /proc/PID/maps, and an address space that mappings are put into as they are observed.
#pragma once

#include <cstdint>
#include <memory>
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

/// The executable mappings in the text of a maps file; lines that make no sense are passed over.
std::vector<MapsLine> parse_maps(std::string_view text);

/// When the process started, in the kernel's ticks, from /proc/PID/stat: tells two processes with one number apart. nullopt: no such process.
std::optional<std::uint64_t> start_time(std::uint32_t pid);

class Module;

/// A range of addresses and what is mapped there.
struct Region {
  std::uint64_t start = 0, end = 0;
  std::uint64_t file_offset = 0;
  std::shared_ptr<Module> module;
};

/// Regions by address, never overlapping. What is put in later wins; what was unmapped stays, so that older stacks keep their names.
class AddressSpace {
 public:
  void put(Region region);
  const Region* find(std::uint64_t address) const;
  bool empty() const { return regions_.empty(); }

 private:
  std::vector<Region> regions_;
};

}  // namespace trc::symbols
