// From the elements of a map, as the engine reads them, to what is printed: copies of the CPUs merged, entries sorted, cut and divided
// (output.md §3.2, §3.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/program_image.h"
#include "output/value.h"
#include "runtime/decode.h"
#include "runtime/engine.h"

namespace trc::runtime {

struct MapPrint {
  std::uint64_t top = 0;      ///< only so many entries, the largest; 0: all
  std::uint64_t divisor = 0;  ///< numbers are divided by it; 0: not
  std::span<const std::byte> only_key;   ///< of the one entry to print; empty: all
  bool at_exit = false;       ///< then a scalar that was never set is left out; an explicit print shows its zero value
};

/// A dump without entries prints nothing. Its entries are decoded as they are asked for; what `context` refers to must be there then.
output::MapDump read_map(const image::MapEntry& map, std::vector<MapElement> elements, const DecodeContext& context,
                         const MapPrint& print = {});

}  // namespace trc::runtime
