// The reading side of a BPF ring buffer. Written by hand rather than with libbpf's, because giving space back once per 32 KB instead
// of once per record halves the cost of a record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.h"

namespace trc::kernel {

class RingBuffer {
 public:
  using Handler = std::function<bool(std::span<const std::byte>)>;

  /// Maps the ring buffer `map_fd` of `size` bytes.
  static Result<std::unique_ptr<RingBuffer>> map(int map_fd, std::size_t size);
  RingBuffer(const RingBuffer&) = delete;
  RingBuffer& operator=(const RingBuffer&) = delete;
  ~RingBuffer();

  /// Hands over what is there, in order, until nothing is left, `handle` returns false or `limit` bytes were passed; returns the number
  /// of records. The limit bounds a reader that producers outrun.
  std::size_t drain(const Handler& handle, std::size_t limit);

 private:
  RingBuffer() = default;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t* consumer_ = nullptr;         ///< page that we write
  const std::uint64_t* producer_ = nullptr;   ///< page that the kernel writes
  const std::byte* data_ = nullptr;           ///< mapped twice in a row, so a record never wraps
};

}  // namespace trc::kernel
