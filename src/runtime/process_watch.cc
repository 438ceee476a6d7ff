#include "runtime/process_watch.h"

#include <sys/sysmacros.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "kernel/perf_buffer.h"
#include "runtime/perf_records.h"
#include "runtime/proc.h"

namespace trc::runtime {
namespace {

/// Every record ends with it (sample_id_all).
std::uint64_t time_of(std::span<const std::byte> bytes) {
  std::uint64_t time = 0;
  if (bytes.size() >= sizeof(perf_event_header) + sizeof time) std::memcpy(&time, bytes.data() + bytes.size() - sizeof time, sizeof time);
  return time;
}

void apply_mmap(std::span<const std::byte> bytes, symbols::Symbolizer& symbolizer) {
  MmapRecord record;
  if (!read_record(bytes, record)) return;
  std::size_t length = 0;
  const char* name = name_behind<MmapRecord>(bytes, length);
  symbolizer.mapped(record.pid, {.start = record.address,
                                 .end = record.address + record.length,
                                 .file_offset = record.page_offset,
                                 .path = std::string(name, length),
                                 .device = makedev(record.major, record.minor),
                                 .inode = record.inode},
                    time_of(bytes));
}

constexpr std::size_t kPages = 128;   // of each CPU's buffer

std::unique_ptr<kernel::PerfBuffer> open_buffer(std::int32_t task, int cpu) {
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
  return kernel::PerfBuffer::open(attr, task, cpu, kPages);
}

class PerfProcessWatch : public ProcessWatch {
 public:
  PerfProcessWatch(symbols::Symbolizer& symbolizer, std::vector<std::unique_ptr<kernel::PerfBuffer>> buffers)
      : symbolizer_(symbolizer), buffers_(std::move(buffers)) {
    // An event can come out of its buffer before what it names has come out of ours.
    symbolizer_.set_observer([this] { drain(); });
  }
  PerfProcessWatch(const PerfProcessWatch&) = delete;
  ~PerfProcessWatch() override { symbolizer_.set_observer(nullptr); }

  std::vector<int> event_fds() const override {
    std::vector<int> fds;
    for (const auto& buffer : buffers_) fds.push_back(buffer->fd());
    return fds;
  }

  void drain() override {
    const auto locked = symbolizer_.lock();
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

  std::uint64_t lost() const override {
    const auto locked = symbolizer_.lock();
    return lost_ + (may_have_lost_ ? 1 : 0);
  }

 private:
  static constexpr int kMaxRounds = 8;
  struct Record { std::uint64_t time; std::size_t offset, size; };

  std::span<const std::byte> bytes_of(const Record& record) const { return {bytes_.data() + record.offset, record.size}; }

  bool take_all() {
    bool any = false;
    for (const auto& buffer : buffers_) {
      if (!buffer->take(bytes_, [&](std::size_t offset, std::size_t size) { records_.push_back({0, offset, size}); })) continue;
      any = true;
      is_full_ |= buffer->was_full();
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
    if (lost != 0 || is_full_) symbolizer_.missed();
    may_have_lost_ = lost == 0 && (may_have_lost_ || is_full_);
    is_full_ = false;
    lost_ += lost;
  }

  symbols::Symbolizer& symbolizer_;
  std::vector<std::unique_ptr<kernel::PerfBuffer>> buffers_;
  std::vector<std::byte> bytes_, held_;
  std::vector<Record> records_;
  std::uint64_t lost_ = 0;        // as the kernel says
  bool may_have_lost_ = false;    // it may say so with the next record
  bool is_full_ = false;          // a buffer was when it was emptied
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
  std::vector<std::unique_ptr<kernel::PerfBuffer>> buffers;
  for (const std::uint32_t cpu : cpus) {
    auto buffer = open_buffer(scope.is_child ? scope.pid : -1, static_cast<int>(cpu));
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
