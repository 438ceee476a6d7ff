#include "symbols/generated_code.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/read_file.h"
#include "symbols/process_maps.h"

namespace trc::symbols {
namespace {

/// Larger than any real one; a file in /tmp may claim any number.
constexpr std::size_t kMaxNames = 1 << 20;
constexpr std::size_t kMaxName = 4096;
constexpr std::uint64_t kChunk = 1 << 20;
/// So many times as long as the last look took passes until the next.
constexpr std::uint64_t kLookShare = 20;
/// Clocks of file systems are coarse.
constexpr std::int64_t kClockSlack = 2;

std::uint64_t now_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::string read_at(int fd, std::uint64_t offset, std::uint64_t size) {
  std::string out(size, '\0');
  const ssize_t got = ::pread(fd, out.data(), size, static_cast<off_t>(offset));
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

/// A hexadecimal number at the front, "0x" allowed, and the blanks behind it.
std::optional<std::uint64_t> take_number(std::string_view& line) {
  if (line.starts_with("0x")) line.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value, 16);
  if (error != std::errc()) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
  return value;
}

/// The process's number in its own pid namespace: the last of "NSpid:" in its status. 0: gone.
std::uint32_t own_number(std::uint32_t pid) {
  const auto status = read_file(fmt::format("/proc/{}/status", pid));
  const std::size_t at = status ? status->find("\nNSpid:") : std::string::npos;
  if (at == std::string::npos) return 0;
  std::string_view line = std::string_view(*status).substr(at + 7);
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(line.find_last_of("\t ") + 1);
  std::uint32_t number = 0;
  std::from_chars(line.data(), line.data() + line.size(), number);
  return number;
}

/// Seconds since 1970 when the process started; 0: gone.
std::int64_t start_seconds(std::uint32_t pid) {
  const auto ticks = start_time(pid);
  if (!ticks) return 0;
  const auto since_boot = static_cast<std::int64_t>(*ticks / static_cast<std::uint64_t>(std::max(::sysconf(_SC_CLK_TCK), 1L)));
  return static_cast<std::int64_t>((now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME)) / 1'000'000'000) + since_boot;
}

}  // namespace

void GeneratedNames::put(std::uint64_t start, std::uint64_t size, std::uint64_t since, std::string name) {
  if (size == 0 || size > ~start || count_ >= kMaxNames) return;
  ++count_;
  ranges_.put(start, start + size, since, std::move(name));
}

std::size_t read_perf_map(std::string_view text, std::uint64_t since, GeneratedNames& names) {
  std::size_t taken = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', taken)) {
    std::string_view line = text.substr(taken, end - taken);
    taken = end + 1;
    const auto start = take_number(line);
    const auto size = start ? take_number(line) : std::nullopt;
    if (size && !line.empty()) names.put(*start, *size, since, std::string(line.substr(0, kMaxName)));
  }
  return taken;
}

namespace {

// The layouts of Linux' tools/perf/Documentation/jitdump-specification.txt, in the byte order of the machine.
struct JitHeader {
  std::uint32_t magic, version, size, machine, padding, pid;
  std::uint64_t time, flags;
};
struct JitRecord {
  std::uint32_t kind, size;
  std::uint64_t time;
};
struct JitLoad {                   // the name follows
  std::uint32_t pid, tid;
  std::uint64_t virtual_address, address, size, index;
};
struct JitMove {
  std::uint32_t pid, tid;
  std::uint64_t virtual_address, old_address, address, size, index;
};
constexpr std::uint32_t kJitMagic = 0x4A695444, kJitLoad = 0, kJitMove = 1;
constexpr std::uint64_t kJitArchitectureClock = 1;

template <class T>
std::optional<T> read_struct(std::string_view bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace

bool JitDump::read_header(const Read& bytes) {
  const auto header = read_struct<JitHeader>(bytes(0, sizeof(JitHeader)));
  if (!header) return false;   // not written yet
  is_damaged_ = header->magic != kJitMagic || header->size < sizeof(JitHeader);
  has_times_ = (header->flags & kJitArchitectureClock) == 0;
  position_ = header->size;
  return !is_damaged_;
}

void JitDump::read(const Read& bytes, GeneratedNames& names) {
  if (is_damaged_ || (position_ == 0 && !read_header(bytes))) return;
  while (true) {
    const auto record = read_struct<JitRecord>(bytes(position_, sizeof(JitRecord)));
    if (!record) return;
    if (record->size < sizeof(JitRecord)) {
      is_damaged_ = true;
      return;
    }
    // Its last byte tells whether it is all there; the code itself is of no interest.
    if (bytes(position_ + record->size - 1, 1).empty()) return;
    if (record->kind == kJitLoad || record->kind == kJitMove) {
      const std::uint64_t wanted = std::min<std::uint64_t>(record->size - sizeof(JitRecord), sizeof(JitMove) + kMaxName);
      if (has_times_) last_time_ = std::max(last_time_, record->time);   // what is written later is later
      apply(record->kind, last_time_, bytes(position_ + sizeof(JitRecord), wanted), names);
    }
    position_ += record->size;
  }
}

void JitDump::apply(std::uint32_t kind, std::uint64_t time, std::string_view body, GeneratedNames& names) {
  if (kind == kJitLoad) {
    const auto load = read_struct<JitLoad>(body);
    if (!load || by_index_.size() >= kMaxNames) return;
    const std::string_view rest = body.substr(sizeof(JitLoad));
    std::string name(rest.substr(0, rest.find('\0')));
    by_index_[load->index] = name;
    names.put(load->address, load->size, time, std::move(name));
  } else if (const auto move = read_struct<JitMove>(body)) {
    const auto known = by_index_.find(move->index);
    if (known != by_index_.end()) names.put(move->address, move->size, time, known->second);
  }
}

void GeneratedCode::add_jit_dump(Fd file) {
  if (!file || jit_dump_) return;
  jit_dump_ = Source{.file = std::move(file), .path = "[jitdump]", .is_jit_dump = true};
}

/// Takes what only a living process tells.
void GeneratedCode::meet(std::uint32_t pid) {
  struct stat process{};
  if (::stat(fmt::format("/proc/{}", pid).c_str(), &process) != 0) return;
  owner_ = process.st_uid;
  if (const std::uint32_t number = own_number(pid)) own_number_ = number;
  started_ = start_seconds(pid);
  if (own_tmp_) return;
  Fd tmp(::open(fmt::format("/proc/{}/root/tmp", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat theirs{}, ours{};
  const bool is_ours = tmp && ::stat("/tmp", &ours) == 0 && ::fstat(tmp.get(), &theirs) == 0 && theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
  if (!is_ours) own_tmp_ = std::move(tmp);
}

void GeneratedCode::look_for_perf_map(std::uint32_t pid, std::uint64_t time) {
  const std::uint64_t now = now_ns(CLOCK_MONOTONIC);
  // Programs make the file right after the memory for their code, so it may have come between a look and the first run of that code.
  if (perf_map_ || (now < look_again_at_ && (time > now || time <= looked_at_))) return;
  looked_at_ = now;
  open_perf_map(pid);
  const std::uint64_t done = now_ns(CLOCK_MONOTONIC);
  look_again_at_ = done + kLookShare * (done - now);
}

void GeneratedCode::open_perf_map(std::uint32_t pid) {
  meet(pid);
  const std::string own_name = fmt::format("perf-{}.map", own_number_ != 0 ? own_number_ : pid), name = fmt::format("perf-{}.map", pid);
  const Fd tmp(::open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const auto& [directory, file_name] : {std::pair(own_tmp_.get(), own_name), std::pair(tmp.get(), own_name), std::pair(tmp.get(), name)}) {
    Fd file(directory >= 0 ? ::openat(directory, file_name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW) : -1);
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (status.st_uid != 0 && status.st_uid != ::geteuid() && status.st_uid != owner_) continue;
    if (status.st_mtim.tv_sec + kClockSlack < started_) continue;   // of an earlier process with this number
    perf_map_ = Source{.file = std::move(file), .path = "/tmp/" + file_name};
    return;
  }
}

void GeneratedCode::read_on(Source& source) {
  const std::uint64_t now = now_ns(CLOCK_MONOTONIC);
  const auto bytes = [&](std::uint64_t offset, std::uint64_t size) { return read_at(source.file.get(), offset, size); };
  if (source.is_jit_dump) {
    source.dump.read(bytes, source.names);
    return;
  }
  for (std::size_t taken = 1; taken != 0; source.position += taken) {
    const std::string text = bytes(source.position, kChunk);
    // Lines that were not there at the last look are of code that was made since.
    taken = read_perf_map(text, source.read_at, source.names);
  }
  source.read_at = now;
}

GeneratedCode::Match GeneratedCode::find(std::uint64_t address, std::uint64_t time) {
  for (std::optional<Source>* source : {&jit_dump_, &perf_map_}) {
    if (!*source) continue;
    read_on(**source);
    if (const auto* range = (*source)->names.find(address, time)) return {range, &(*source)->path};
  }
  return {};
}

}  // namespace trc::symbols
