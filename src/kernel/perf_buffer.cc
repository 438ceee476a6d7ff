#include "kernel/perf_buffer.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "kernel/bpf_link.h"

namespace trc::kernel {
namespace {

constexpr std::size_t kFewestPages = 8;
/// Of a record that the kernel writes by itself: a path (PATH_MAX) and less than that again around it.
constexpr std::size_t kLargestRecord = 8192;

}  // namespace

std::unique_ptr<PerfBuffer> PerfBuffer::open(perf_event_attr& attr, std::int32_t task, int cpu, std::size_t pages) {
  auto event = open_perf_event(attr, task, cpu);
  if (!event) return nullptr;
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (; pages >= kFewestPages; pages /= 2) {   // without CAP_IPC_LOCK the size is limited
    void* memory = ::mmap(nullptr, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, event->get(), 0);
    if (memory == MAP_FAILED) continue;
    auto buffer = std::unique_ptr<PerfBuffer>(new PerfBuffer());
    buffer->event_ = std::move(*event);
    buffer->page_ = static_cast<perf_event_mmap_page*>(memory);
    buffer->data_ = static_cast<const std::byte*>(memory) + page;
    buffer->size_ = pages * page;
    buffer->mapped_ = (pages + 1) * page;
    return buffer;
  }
  return nullptr;
}

PerfBuffer::~PerfBuffer() { ::munmap(page_, mapped_); }

bool PerfBuffer::take(std::vector<std::byte>& bytes, const std::function<void(std::size_t offset, std::size_t size)>& add) {
  const std::uint64_t head = __atomic_load_n(&page_->data_head, __ATOMIC_ACQUIRE);
  std::uint64_t tail = page_->data_tail;
  if (tail == head) return false;
  was_full_ = size_ - (head - tail) < kLargestRecord;
  while (tail < head) {
    perf_event_header header{};
    copy(tail, reinterpret_cast<std::byte*>(&header), sizeof header);
    if (header.size < sizeof header) break;   // cannot be; without it a damaged buffer would keep us here
    const std::size_t at = bytes.size();
    bytes.resize(at + header.size);
    copy(tail, bytes.data() + at, header.size);
    add(at, header.size);
    tail += header.size;
  }
  __atomic_store_n(&page_->data_tail, head, __ATOMIC_RELEASE);
  return true;
}

void PerfBuffer::copy(std::uint64_t position, std::byte* to, std::size_t size) const {
  const std::size_t at = position % size_;
  const std::size_t first = std::min(size, size_ - at);
  std::memcpy(to, data_ + at, first);
  std::memcpy(to + first, data_, size - first);
}

}  // namespace trc::kernel
