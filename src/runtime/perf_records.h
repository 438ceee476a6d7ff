// The records of perf buffers that tell what processes map, as far as trc reads them. linux/perf_event.h has them as comments only.
#pragma once

#include <linux/perf_event.h>

#include <cstdint>
#include <cstring>
#include <span>

namespace trc::runtime {

struct MmapRecord {                  // PERF_RECORD_MMAP2
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

/// The name behind a record's fixed part.
template <class T>
const char* name_behind(std::span<const std::byte> bytes, std::size_t& length) {
  const char* name = reinterpret_cast<const char*>(bytes.data()) + sizeof(T);
  length = ::strnlen(name, bytes.size() - sizeof(T));
  return name;
}

}  // namespace trc::runtime
