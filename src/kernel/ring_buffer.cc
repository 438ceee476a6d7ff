#include "kernel/ring_buffer.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

namespace trc::kernel {
namespace {

constexpr std::uint64_t kGiveBackBytes = 32 * 1024;
std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

Result<std::unique_ptr<RingBuffer>> RingBuffer::map(int map_fd, std::size_t size) {
  auto ring = std::unique_ptr<RingBuffer>(new RingBuffer());
  const std::size_t page = page_size();
  void* consumer = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return Error::from_errno("map the event ring's consumer page");
  ring->consumer_ = static_cast<std::uint64_t*>(consumer);
  void* producer = ::mmap(nullptr, page + 2 * size, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page));
  if (producer == MAP_FAILED) return Error::from_errno("map the event ring");
  ring->producer_ = static_cast<const std::uint64_t*>(producer);
  ring->data_ = static_cast<const std::byte*>(producer) + page;
  ring->size_ = size;
  ring->position_ = __atomic_load_n(ring->consumer_, __ATOMIC_ACQUIRE);
  return ring;
}

RingBuffer::~RingBuffer() {
  const std::size_t page = page_size();
  if (producer_ != nullptr) ::munmap(const_cast<std::uint64_t*>(producer_), page + 2 * size_);
  if (consumer_ != nullptr) ::munmap(consumer_, page);
}

std::size_t RingBuffer::drain(const Handler& handle, std::size_t limit) {
  std::size_t records = 0;
  const std::uint64_t start = position_;
  std::uint64_t given_back = position_;
  bool more = true;
  // A writer wakes us only if it sees that we have come as far as its record. So whenever the end (or an unfinished record) is met, the
  // position is published first and the end looked at once more; only an end seen after publishing counts.
  while (more) {
    const bool published = given_back == position_;
    const std::uint64_t before = position_;
    const std::uint64_t end = __atomic_load_n(producer_, __ATOMIC_ACQUIRE);
    bool stuck = position_ >= end;
    while (more && position_ < end) {
      const std::byte* record = data_ + (position_ & (size_ - 1));
      const std::uint32_t header = __atomic_load_n(reinterpret_cast<const std::uint32_t*>(record), __ATOMIC_ACQUIRE);
      if ((header & BPF_RINGBUF_BUSY_BIT) != 0) {
        stuck = true;
        break;
      }
      const std::uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
      if ((header & BPF_RINGBUF_DISCARD_BIT) == 0) {
        more = handle({record + BPF_RINGBUF_HDR_SZ, length});
        ++records;
      }
      position_ += (std::uint64_t{length} + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
      if (position_ - given_back >= kGiveBackBytes) {
        __atomic_store_n(consumer_, position_, __ATOMIC_RELEASE);
        given_back = position_;
      }
      if (position_ - start >= limit) more = false;
    }
    if (stuck && published && position_ == before) break;
    __atomic_store_n(consumer_, position_, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    given_back = position_;
  }
  return records;
}

}  // namespace trc::kernel
