// The reading side of a perf event's ring buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/owned.h"

struct perf_event_attr;
struct perf_event_mmap_page;

namespace trc::kernel {

class PerfBuffer {
 public:
  /// Opens the event with a buffer of `pages` (a power of two), or of less where that is not allowed. Null if the kernel refuses.
  static std::unique_ptr<PerfBuffer> open(perf_event_attr& attr, std::int32_t task, int cpu, std::size_t pages);
  PerfBuffer(const PerfBuffer&) = delete;
  PerfBuffer& operator=(const PerfBuffer&) = delete;
  ~PerfBuffer();

  int fd() const { return event_.get(); }

  /// Appends what has come to `bytes`; calls add(offset, size) for each record there. False if there was nothing.
  bool take(std::vector<std::byte>& bytes, const std::function<void(std::size_t offset, std::size_t size)>& add);
  /// At the last take() that found something: was there so little room left that the kernel may have dropped a record? It says so itself only
  /// with the next record that it writes (PERF_RECORD_LOST), which may never come.
  bool was_full() const { return was_full_; }

 private:
  PerfBuffer() = default;
  void copy(std::uint64_t position, std::byte* to, std::size_t size) const;

  Fd event_;
  perf_event_mmap_page* page_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0, mapped_ = 0;
  bool was_full_ = false;
};

}  // namespace trc::kernel
