#include "kernel/bpf_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <optional>
#include <utility>

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

Result<Fd> create_map(const MapSpec& spec) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = spec.flags);
  if (spec.inner >= 0) options.inner_map_fd = static_cast<std::uint32_t>(spec.inner);
  const int fd = bpf_map_create(static_cast<bpf_map_type>(spec.type), spec.name.c_str(), spec.key_size, spec.value_size, spec.max_entries, &options);
  if (fd < 0) return Error::from_errno("create the map " + spec.name);
  return Fd(fd);
}

Result<> put_maps(int outer, std::uint32_t first, std::span<const int> maps) {
  std::vector<std::uint32_t> keys(maps.size());
  for (std::uint32_t i = 0; i < keys.size(); ++i) keys[i] = first + i;
  auto count = static_cast<std::uint32_t>(keys.size());
  LIBBPF_OPTS(bpf_map_batch_opts, batch);
  if (bpf_map_update_batch(outer, keys.data(), maps.data(), &count, &batch) == 0) return {};
  // Before 5.16 maps of maps know no batches.
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (bpf_map_update_elem(outer, &keys[i], &maps[i], BPF_ANY) != 0) return Error::from_errno("put a map into a map of maps");
  }
  return {};
}

Result<MappedArray> MappedArray::create(const std::string& name, std::uint32_t value_size, std::uint32_t max_entries) {
  MappedArray array;
  TRC_TRY(fd, create_map({.name = name, .type = BPF_MAP_TYPE_ARRAY, .value_size = value_size, .max_entries = max_entries, .flags = BPF_F_MMAPABLE}));
  array.fd_ = std::move(fd);
  const std::size_t size = (std::size_t{value_size} + 7) / 8 * 8 * max_entries;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, array.fd_.get(), 0);
  if (memory == MAP_FAILED) return Error::from_errno("map the memory of " + name);
  array.memory_ = static_cast<std::byte*>(memory);
  array.size_ = size;
  return array;
}

MappedArray::MappedArray(MappedArray&& other) noexcept
    : fd_(std::move(other.fd_)), memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedArray::~MappedArray() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

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

bool next_key(int map, const void* from, void* next) { return bpf_map_get_next_key(map, from, next) == 0; }

Result<> remove(const BpfMap& map, std::span<const std::byte> key) {
  if (key.size() != map.key_size) return Error("a map key of the wrong size");
  if (bpf_map_delete_elem(map.fd, key.data()) == 0 || errno == ENOENT) return {};
  return Error::from_errno("delete a map element");
}

}  // namespace trc::kernel
