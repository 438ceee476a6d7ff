#include "kernel/bpf_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <optional>

namespace trc::kernel {
namespace {

constexpr std::uint32_t kBatch = 1024;
constexpr std::size_t kBatchBytes = 8 << 20;   // large values (histograms of many CPUs) go in smaller batches

/// Batch look-up; nullopt if this kind of map has none.
std::optional<Result<>> batched(const BpfMap& map, const ElementHandler& handle) {
  // A batch holds plain values at their own size, per-CPU copies rounded up to 8 bytes.
  const std::size_t stored = map.per_cpu ? map.stored_size() : map.value_size;
  auto capacity = static_cast<std::uint32_t>(std::clamp<std::size_t>(kBatchBytes / stored, 16, kBatch));
  capacity = std::min(capacity, std::max<std::uint32_t>(map.max_entries, 1));
  std::vector<std::byte> keys, values;
  std::vector<std::byte> position(std::max<std::size_t>(map.key_size, 8)), next(position.size());
  bool first = true;
  while (true) {
    keys.resize(std::size_t{capacity} * map.key_size);
    values.resize(capacity * stored);
    std::uint32_t count = capacity;
    LIBBPF_OPTS(bpf_map_batch_opts, options);
    const int result =
        bpf_map_lookup_batch(map.fd, first ? nullptr : position.data(), next.data(), keys.data(), values.data(), &count, &options);
    const int err = result < 0 ? -result : 0;
    if (err == ENOSPC && count == 0) {   // one hash bucket holds more than fits
      capacity *= 2;
      continue;
    }
    if (err != 0 && err != ENOENT) {
      if (first) return std::nullopt;
      return Error::from_errno("read map", err);
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      handle({keys.data() + std::size_t{i} * map.key_size, map.key_size}, {values.data() + i * stored, stored});
    }
    if (err == ENOENT) return Result<>{};
    position = next;
    first = false;
  }
}

Result<> one_by_one(const BpfMap& map, const ElementHandler& handle) {
  std::vector<std::byte> key(map.key_size), next(map.key_size), values(map.stored_size());
  const void* from = nullptr;
  while (bpf_map_get_next_key(map.fd, from, next.data()) == 0) {
    key = next;
    from = key.data();
    if (bpf_map_lookup_elem(map.fd, key.data(), values.data()) == 0) handle(key, {values.data(), map.per_cpu ? values.size() : map.value_size});
  }
  if (errno != ENOENT) return Error::from_errno("read map");
  return {};
}

}  // namespace

std::uint32_t possible_cpus() {
  static const std::uint32_t cpus = static_cast<std::uint32_t>(std::max(libbpf_num_possible_cpus(), 1));
  return cpus;
}

std::size_t BpfMap::stored_size() const {
  const std::size_t stride = (std::size_t{value_size} + 7) / 8 * 8;
  return per_cpu ? stride * possible_cpus() : stride;
}

Result<> for_each_element(const BpfMap& map, const ElementHandler& handle) {
  if (auto result = batched(map, handle)) return std::move(*result);
  return one_by_one(map, handle);
}

Result<std::vector<std::byte>> lookup(const BpfMap& map, std::span<const std::byte> key) {
  if (key.size() != map.key_size) return Error("a map key of the wrong size");
  std::vector<std::byte> values(map.stored_size());
  if (bpf_map_lookup_elem(map.fd, key.data(), values.data()) == 0) return values;
  if (errno == ENOENT) return std::vector<std::byte>{};
  return Error::from_errno("read map");
}

Result<> update(const BpfMap& map, std::span<const std::byte> key, std::span<const std::byte> values, bool only_existing) {
  if (key.size() != map.key_size || values.size() != map.stored_size()) return Error("a map element of the wrong size");
  if (bpf_map_update_elem(map.fd, key.data(), values.data(), only_existing ? BPF_EXIST : BPF_ANY) == 0) return {};
  if (errno == ENOENT && only_existing) return {};
  return Error::from_errno("write map");
}

Result<> remove(const BpfMap& map, std::span<const std::byte> key) {
  if (key.size() != map.key_size) return Error("a map key of the wrong size");
  if (bpf_map_delete_elem(map.fd, key.data()) == 0 || errno == ENOENT) return {};
  return Error::from_errno("delete a map element");
}

}  // namespace trc::kernel
