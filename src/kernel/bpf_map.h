// Reading and writing BPF maps: whole maps in batches where the kernel can, element by element where not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"

namespace trc::kernel {

/// What has to be known of a map to use its descriptor; borrowed.
struct BpfMap {
  int fd = -1;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;   ///< of one copy
  std::uint32_t max_entries = 0;
  bool per_cpu = false;           ///< values come as one copy per possible CPU, each rounded up to 8 bytes

  /// Bytes of all copies of one element.
  std::size_t stored_size() const;
};

/// Possible CPUs, as per-CPU maps count them.
std::uint32_t possible_cpus();

using ElementHandler = std::function<void(std::span<const std::byte> key, std::span<const std::byte> values)>;

/// Calls `handle` for every element, with all copies of a per-CPU value, or the `value_size` bytes of a plain one. Elements that come and go meanwhile may or may not be seen.
Result<> for_each_element(const BpfMap& map, const ElementHandler& handle);
/// The values of one element, or an empty vector if it is not there.
Result<std::vector<std::byte>> lookup(const BpfMap& map, std::span<const std::byte> key);
/// Replaces an element's values (all copies). `only_existing`: an element that is gone stays gone, without an error.
Result<> update(const BpfMap& map, std::span<const std::byte> key, std::span<const std::byte> values, bool only_existing);
/// Removes an element; no error if it is gone already.
Result<> remove(const BpfMap& map, std::span<const std::byte> key);

}  // namespace trc::kernel
