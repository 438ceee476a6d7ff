#include "runtime/process_watch.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/owned.h"
#include "kernel/bpf_link.h"
#include "runtime/proc.h"

namespace trc::runtime {
namespace {

// Not in the oldest headers that we build with: linux/perf_event.h defines the layouts as comments only.
struct MmapRecord {
  perf_event_header header;
  std::uint32_t pid, tid;
  std::uint64_t address, length, page_offset;
  std::uint32_t major, minor;
  std::uint64_t inode, inode_generation;
  std::uint32_t protection, flags;   // the file name follows
};
struct ForkRecord {                  // also of PERF_RECORD_EXIT
  perf_event_header header;
  std::uint32_t pid, parent, tid, parent_tid;
};
struct CommRecord {
  perf_event_header header;
  std::uint32_t pid, tid;            // the name follows
};
struct LostRecord {
  perf_event_header header;
  std::uint64_t id, count;
};

template <class T>
bool read_record(std::span<const std::byte> bytes, T& record) {
  if (bytes.size() < sizeof record) return false;
  std::memcpy(&record, bytes.data(), sizeof record);
  return true;
}

/// Every record ends with it (sample_id_all).
std::uint64_t time_of(std::span<const std::byte> bytes) {
  std::uint64_t time = 0;
  if (bytes.size() >= sizeof(perf_event_header) + sizeof time) std::memcpy(&time, bytes.data() + bytes.size() - sizeof time, sizeof time);
  return time;
}

void apply_mmap(std::span<const std::byte> bytes, symbols::Symbolizer& symbolizer) {
  MmapRecord record;
  if (!read_record(bytes, record)) return;
  const char* name = reinterpret_cast<const char*>(bytes.data()) + sizeof record;
  symbolizer.mapped(record.pid, {.start = record.address,
                                 .end = record.address + record.length,
                                 .file_offset = record.page_offset,
                                 .path = std::string(name, ::strnlen(name, bytes.size() - sizeof record)),
                                 .device = makedev(record.major, record.minor),
                                 .inode = record.inode},
                    time_of(bytes));
}

/// The buffer of one perf event.
class Buffer {
 public:
  static std::unique_ptr<Buffer> open(std::int32_t task, int cpu) {
    perf_event_attr attr{};
    attr.type = PERF_TYPE_SOFTWARE;
    attr.config = PERF_COUNT_SW_DUMMY;
    attr.sample_type = PERF_SAMPLE_TIME;
    attr.sample_id_all = 1;
    attr.use_clockid = 1;            // the clock that programs use, so that a stack is named with what was mapped then
    attr.clockid = CLOCK_MONOTONIC;
    attr.mmap = attr.mmap2 = 1;      // executable mappings
    attr.comm = attr.comm_exec = 1;
    attr.task = 1;
    attr.inherit = task > 0 ? 1 : 0;
    attr.watermark = 1;
    attr.wakeup_watermark = 1;       // bytes: every record
    auto event = kernel::open_perf_event(attr, task, cpu);
    if (!event) return nullptr;
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    for (std::size_t pages = kPages; pages >= 8; pages /= 2) {   // without CAP_IPC_LOCK the size is limited
      void* memory = ::mmap(nullptr, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, event->get(), 0);
      if (memory == MAP_FAILED) continue;
      auto buffer = std::unique_ptr<Buffer>(new Buffer());
      buffer->event_ = std::move(*event);
      buffer->page_ = static_cast<perf_event_mmap_page*>(memory);
      buffer->data_ = static_cast<const std::byte*>(memory) + page;
      buffer->size_ = pages * page;
      buffer->mapped_ = (pages + 1) * page;
      return buffer;
    }
    return nullptr;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { ::munmap(page_, mapped_); }

  int fd() const { return event_.get(); }

  /// Appends what has come to `bytes`; calls add(offset, size) for each record. False if there was nothing.
  template <class Add>
  bool take(std::vector<std::byte>& bytes, Add add) {
    const std::uint64_t head = __atomic_load_n(&page_->data_head, __ATOMIC_ACQUIRE);
    std::uint64_t tail = page_->data_tail;
    if (tail == head) return false;
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

 private:
  static constexpr std::size_t kPages = 128;
  Buffer() = default;

  void copy(std::uint64_t position, std::byte* to, std::size_t size) const {
    const std::size_t at = position % size_;
    const std::size_t first = std::min(size, size_ - at);
    std::memcpy(to, data_ + at, first);
    std::memcpy(to + first, data_, size - first);
  }

  Fd event_;
  perf_event_mmap_page* page_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0, mapped_ = 0;
};

class PerfProcessWatch : public ProcessWatch {
 public:
  PerfProcessWatch(symbols::Symbolizer& symbolizer, std::vector<std::unique_ptr<Buffer>> buffers)
      : symbolizer_(symbolizer), buffers_(std::move(buffers)) {}

  std::vector<int> event_fds() const override {
    std::vector<int> fds;
    for (const auto& buffer : buffers_) fds.push_back(buffer->fd());
    return fds;
  }

  void drain() override {
    // A process that moves between CPUs leaves its records in several buffers. Whatever came before a record is in some buffer when the
    // record is seen, so it is seen in the next round at the latest; what the last round has brought waits if more may come.
    bytes_.clear();
    records_.clear();
    std::size_t settled = 0;
    bool more = take_all();
    for (int round = 1; more && round < kMaxRounds; ++round) {
      settled = records_.size();
      more = take_all();
    }
    if (records_.empty() && held_.empty()) return;
    if (!more) settled = records_.size();
    apply(settled);
  }

  std::uint64_t lost() const override { return lost_; }

 private:
  static constexpr int kMaxRounds = 8;
  struct Record { std::uint64_t time; std::size_t offset, size; };

  std::span<const std::byte> bytes_of(const Record& record) const { return {bytes_.data() + record.offset, record.size}; }

  bool take_all() {
    bool any = false;
    for (const auto& buffer : buffers_) {
      any |= buffer->take(bytes_, [&](std::size_t offset, std::size_t size) { records_.push_back({0, offset, size}); });
    }
    return any;
  }

  /// The held-back records and the first `settled` of the new ones; the others are held back.
  void apply(std::size_t settled) {
    std::vector<std::byte> later;
    for (std::size_t i = settled; i < records_.size(); ++i) {
      const auto bytes = bytes_of(records_[i]);
      later.insert(later.end(), bytes.begin(), bytes.end());
    }
    records_.resize(settled);
    for (std::size_t at = 0; at < held_.size();) {
      perf_event_header header;
      std::memcpy(&header, held_.data() + at, sizeof header);
      records_.push_back({0, bytes_.size() + at, header.size});
      at += header.size;
    }
    bytes_.insert(bytes_.end(), held_.begin(), held_.end());
    held_ = std::move(later);
    for (Record& record : records_) record.time = time_of(bytes_of(record));
    std::stable_sort(records_.begin(), records_.end(), [](const Record& a, const Record& b) { return a.time < b.time; });
    std::uint64_t lost = 0;
    for (const Record& record : records_) {
      LostRecord fields;
      if (read_record(bytes_of(record), fields) && fields.header.type == PERF_RECORD_LOST) lost += fields.count;
      else apply_perf_record(bytes_of(record), symbolizer_);
    }
    if (lost != 0) symbolizer_.missed();
    lost_ += lost;
  }

  symbols::Symbolizer& symbolizer_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<std::byte> bytes_, held_;
  std::vector<Record> records_;
  std::uint64_t lost_ = 0;
};

}  // namespace

void apply_perf_record(std::span<const std::byte> bytes, symbols::Symbolizer& symbolizer) {
  perf_event_header header;
  if (!read_record(bytes, header)) return;
  if (header.type == PERF_RECORD_MMAP2) return apply_mmap(bytes, symbolizer);
  const std::uint64_t time = time_of(bytes);
  if (header.type == PERF_RECORD_FORK || header.type == PERF_RECORD_EXIT) {
    ForkRecord record;
    if (!read_record(bytes, record)) return;
    if (header.type == PERF_RECORD_EXIT) {
      if (record.pid == record.tid) symbolizer.exited(record.pid, time);
    } else if (record.pid != record.parent) {   // not a thread
      symbolizer.forked(record.parent, record.pid, time);
    }
  }
  if (header.type == PERF_RECORD_COMM && (header.misc & PERF_RECORD_MISC_COMM_EXEC) != 0) {
    CommRecord record;
    if (read_record(bytes, record)) symbolizer.executed(record.pid, time);
  }
}

std::unique_ptr<ProcessWatch> ProcessWatch::start(symbols::Symbolizer& symbolizer, const probes::Scope& scope,
                                                  const std::vector<std::uint32_t>& cpus) {
  std::vector<std::unique_ptr<Buffer>> buffers;
  for (const std::uint32_t cpu : cpus) {
    auto buffer = Buffer::open(scope.is_child ? scope.pid : -1, static_cast<int>(cpu));
    if (!buffer) return nullptr;
    buffers.push_back(std::move(buffer));
  }
  // What is mapped already causes no records.
  if (scope.pid > 0 && !scope.is_child) symbolizer.snapshot(static_cast<std::uint32_t>(scope.pid));
  if (scope.pid <= 0) {
    for (const std::int32_t pid : all_processes()) symbolizer.snapshot(static_cast<std::uint32_t>(pid));
  }
  return std::make_unique<PerfProcessWatch>(symbolizer, std::move(buffers));
}

}  // namespace trc::runtime
