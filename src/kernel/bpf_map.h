// Reading and writing BPF maps: whole maps in batches where the kernel can, element by element where not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/owned.h"
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

/// A map to be made.
struct MapSpec {
  std::string name;               ///< up to 15 characters are kept
  std::uint32_t type = 0;         ///< enum bpf_map_type
  std::uint32_t key_size = 4, value_size = 0, max_entries = 0;
  std::uint32_t flags = 0;        ///< BPF_F_…
  int inner = -1;                 ///< a map of maps: one that its elements will be like; borrowed
};
Result<Fd> create_map(const MapSpec& spec);

/// Puts maps into a map of maps at `first` and the places that follow; returns when no running program can miss them, which takes an RCU
/// grace period (milliseconds), once for all.
Result<> put_maps(int outer, std::uint32_t first, std::span<const int> maps);

/// An array map whose elements are also memory of this process. Elements lie 8-byte aligned, one after another.
class MappedArray {
 public:
  static Result<MappedArray> create(const std::string& name, std::uint32_t value_size, std::uint32_t max_entries);
  MappedArray(MappedArray&& other) noexcept;
  MappedArray& operator=(MappedArray&&) = delete;
  ~MappedArray();

  int fd() const { return fd_.get(); }
  std::span<std::byte> bytes() const { return {memory_, size_}; }
  /// Keeps only the memory: enough for a map that the kernel holds on to by itself, as an element of another one.
  void close_descriptor() { fd_.reset(); }

 private:
  MappedArray() = default;
  Fd fd_;
  std::byte* memory_ = nullptr;
  std::size_t size_ = 0;
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
/// The key after `from` (nullptr: the first), both of the map's key size; false: there is none. Nothing but a system call.
bool next_key(int map, const void* from, void* next);
/// Removes an element; no error if it is gone already.
Result<> remove(const BpfMap& map, std::span<const std::byte> key);

}  // namespace trc::kernel
