#include "runtime/held_processes.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "kernel/bpf_map.h"
#include "runtime/held_abi.h"
#include "runtime/reaper.h"

namespace trc::runtime {
namespace {

constexpr unsigned kLateProgramUs = 1000;      // a program that was running on another CPU when it was detached is done
constexpr long kAfterTheEndNs = 50'000'000;    // the same when trc was killed, whose descriptors the kernel closes; and sudo has seen its child stop
constexpr int kMostAncestors = 16;

// What follows runs in a process that was forked from one with threads: only async-signal-safe calls.

struct Stat {
  char state = 0;         // 0: there is no such process
  std::int32_t parent = 0;
};

Stat read_stat(std::int32_t pid) {
  char path[32] = "/proc/", digits[12], text[512];
  std::size_t count = 0, at = 6;
  for (std::int32_t rest = pid; rest > 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  while (count > 0) path[at++] = digits[--count];
  std::memcpy(path + at, "/stat", 6);
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t size = ::read(file, text, sizeof text);
  ::close(file);
  // PID (NAME) STATE PARENT …; the name may hold anything, parentheses too, and is 64 bytes at most.
  const char* const end = text + std::max<ssize_t>(size, 0);
  const char* place = end;
  while (place > text && place[-1] != ')') --place;
  if (place == text || end - place < 4) return {};
  Stat stat{.state = place[1]};
  for (place += 3; place < end && *place >= '0' && *place <= '9' && stat.parent < (1 << 24); ++place) stat.parent = stat.parent * 10 + (*place - '0');
  return stat;
}

/// Calls `go_on` for each process of the map. A key below 0 is a process that was being let go on.
void for_each_held(int map, void (*go_on)(std::int32_t pid)) {
  std::int32_t key = 0, next = 0;
  bool more = kernel::next_key(map, nullptr, &next);
  for (int i = 0; more && i < 2 * TRC_HELD_PROCESSES; ++i) {   // a key that goes away meanwhile would begin it all again
    key = next;
    if (key != 0 && key != INT32_MIN) go_on(std::abs(key));
    more = kernel::next_key(map, &key, &next);
  }
}

void continue_process(std::int32_t pid) { ::kill(pid, SIGCONT); }

/// And those above it that have stopped because it did (runtime/ancestors.h), up to whoever has taken over trc's children: that one is also
/// the new parent of this process.
void continue_with_ancestors(std::int32_t pid) {
  continue_process(pid);
  const std::int32_t heir = ::getppid();
  Stat stat = read_stat(pid);
  for (int depth = 0; stat.state != 0 && stat.parent > 1 && stat.parent != heir && depth < kMostAncestors; ++depth) {
    const std::int32_t parent = stat.parent;
    stat = read_stat(parent);
    if (stat.state == 'T') continue_process(parent);
  }
}

void after_the_end(const void* context) {
  const int map = *static_cast<const int*>(context);
  for_each_held(map, continue_with_ancestors);
  for (int round = 0; round < 2; ++round) {
    const timespec pause{.tv_sec = 0, .tv_nsec = kAfterTheEndNs};
    ::nanosleep(&pause, nullptr);
    for_each_held(map, continue_with_ancestors);
  }
}

}  // namespace

Result<std::unique_ptr<HeldProcesses>> HeldProcesses::watch(int map) {
  auto held = std::unique_ptr<HeldProcesses>(new HeldProcesses(map));
  held->survivor_ = start_survivor("trc-release", std::span(&held->map_, 1), after_the_end, &held->map_);
  if (held->survivor_ < 0) return Error::from_errno("start the process that would let stopped ones go on");
  return held;
}

HeldProcesses::~HeldProcesses() {
  if (survivor_ <= 0) return;
  for_each_held(map_, continue_process);
  ::usleep(kLateProgramUs);
  for_each_held(map_, continue_process);
  ::kill(survivor_, SIGKILL);
  ::waitpid(survivor_, nullptr, 0);
}

void HeldProcesses::put(std::int32_t key) {
  const kernel::BpfMap map{.fd = map_, .key_size = sizeof key, .value_size = 8, .max_entries = TRC_HELD_PROCESSES};
  const std::uint64_t one = 1;
  (void)kernel::update(map, std::as_bytes(std::span(&key, 1)), std::as_bytes(std::span(&one, 1)), false);
}

void HeldProcesses::take(std::int32_t key) {
  const kernel::BpfMap map{.fd = map_, .key_size = sizeof key, .value_size = 8, .max_entries = TRC_HELD_PROCESSES};
  (void)kernel::remove(map, std::as_bytes(std::span(&key, 1)));
}

void HeldProcesses::hold(std::int32_t pid) {
  put(pid);
  ::kill(pid, SIGSTOP);
}

void HeldProcesses::resume(std::int32_t pid) {
  // It may be stopped again as soon as it runs, so its own element goes before it does; meanwhile another one stands for it.
  put(-pid);
  take(pid);
  ::kill(pid, SIGCONT);
  take(-pid);
}

}  // namespace trc::runtime
