// What connects a loaded program to an event. Each function makes the connection or says why the kernel refused; the returned
// descriptors end it when they are closed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/owned.h"
#include "base/result.h"

struct perf_event_attr;

namespace trc::kernel {

struct UprobeMulti {
  std::string path;
  std::span<const std::uint64_t> offsets;
  std::span<const std::uint64_t> semaphores;   ///< empty, or one file offset per site (0: none)
  std::span<const std::uint64_t> cookies;      ///< empty, or one per site
  bool is_return = false;
  std::int32_t pid = -1;
};
/// One link for all sites. Error::code() 524 (ENOTSUPP) and others mean that at least one site cannot be probed.
Result<Fd> attach_uprobe_multi(int program, const UprobeMulti& request);

struct KprobeMulti {
  std::span<const std::uint64_t> addresses;    ///< of functions; or, if empty,
  std::span<const char* const> names;
  std::span<const std::uint64_t> cookies;      ///< empty, or one per site
  bool is_return = false;
};
/// One link for all functions. Fails as a whole when one of them cannot be traced.
Result<Fd> attach_kprobe_multi(int program, const KprobeMulti& request);

/// A perf event and the link of a program to it.
struct PerfLink { Fd event; Fd link; };

struct UprobeEvent {
  std::string path;
  std::uint64_t offset = 0, semaphore = 0;
  bool is_return = false;
  std::int32_t pid = -1;
};
Result<PerfLink> attach_uprobe_event(int program, const UprobeEvent& request, std::optional<std::uint64_t> cookie);
struct KprobeEvent {
  std::string function;               ///< "" when `offset` is an address
  std::uint64_t offset = 0;
  bool is_return = false;
};
Result<PerfLink> attach_kprobe_event(int program, const KprobeEvent& request, std::optional<std::uint64_t> cookie);
Result<PerfLink> attach_tracepoint(int program, std::uint32_t id, std::optional<std::uint64_t> cookie);
/// A program of type Fentry or Fexit to the function that it was bound to.
Result<Fd> attach_function(int program, std::optional<std::uint64_t> cookie);
struct Iteration {
  std::string kind;                   ///< "task"
  std::int32_t pid = -1;              ///< only what belongs to this process
};
/// The link of a program of type Iterator.
Result<Fd> attach_iterator(int program, const Iteration& request);
/// A file; reading it runs the program, from the start.
Result<Fd> open_iterator(int link);
/// Reads so much that the program has run at least once, and at most `bytes` times when it writes a byte each time; what it wrote is thrown away.
/// False: there is nothing more.
Result<bool> read_iterator(int iterator, std::size_t bytes);
/// Keeps a link in a file of a bpf file system.
Result<> pin_link(int link, const std::string& path);
Result<Fd> attach_raw_tracepoint(int program, const std::string& event, std::optional<std::uint64_t> cookie);

struct Sampling {
  std::uint32_t type = 0;         ///< PERF_TYPE_*
  std::uint64_t config = 0;
  std::uint64_t period = 0;       ///< when frequency == 0
  std::uint64_t frequency = 0;
  std::uint64_t address = 0;      ///< PERF_TYPE_BREAKPOINT: what is watched
  std::uint32_t length = 0, access = 0;
};
/// Whom an event of one thread counts besides: the threads that it will create, or the processes too. Only its own samples carry the cookie.
enum class Inherit : std::uint8_t { Threads, Processes };
/// `task` -1: everything on `cpu`. Otherwise that thread and those it will create, on any CPU (`cpu` -1).
Result<PerfLink> attach_sampling(int program, const Sampling& sampling, std::int32_t task, int cpu, Inherit inherit, std::optional<std::uint64_t> cookie);

/// perf_event_open(2).
Result<Fd> open_perf_event(perf_event_attr& attr, std::int32_t task, int cpu);

/// Raises RLIMIT_NOFILE as far as allowed; returns the limit now in force.
std::uint64_t raise_file_limit();

}  // namespace trc::kernel
