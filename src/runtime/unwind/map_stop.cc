#include "runtime/unwind/map_stop.h"

#include <linux/bpf.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "kernel/bpf_link.h"
#include "kernel/bpf_map.h"
#include "kernel/btf.h"
#include "runtime/proc.h"
#include "runtime/reaper.h"

extern const char trc_map_stop_object[];
extern const char trc_map_stop_object_end[];

namespace trc::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kNotStoppedOffset = 8;              // of `not_stopped` in .bss
constexpr std::uint64_t kFirstPidNamespace = 0xEFFFFFFC;  // its inode number is fixed in the kernel
// The threads of a stopped process stop within microseconds, but one that is inside a long system call stops at its end.
constexpr std::chrono::milliseconds kSettleTime{200};
constexpr std::chrono::microseconds kSettleLook{100};
constexpr long kAfterTheEndNs = 50'000'000;               // until programs that were running at the end of trc have sent their signals

constexpr const char* kMembers[] = {
#define TRC_MAP_STOP_MEMBER(symbol, member) member,
    TRC_MAP_STOP_MEMBERS
#undef TRC_MAP_STOP_MEMBER
};

template <class T>
std::string_view as_bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

Result<trc_map_stop_settings> make_settings(const probes::Scope& scope) {
  trc_map_stop_settings settings{};
  const std::vector<std::string> members(std::begin(kMembers), std::end(kMembers));
  TRC_TRY(offsets, kernel::kernel_member_offsets(members));
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!offsets[i]) return Error("this kernel has no " + members[i]);
    settings.at[i] = *offsets[i];
  }
  struct stat info {};
  if (::stat("/proc/self/ns/pid", &info) == 0 && info.st_ino != kFirstPidNamespace) {
    settings.namespace_device = info.st_dev;
    settings.namespace_inode = info.st_ino;
  }
  settings.scope = scope.is_child ? TRC_MAP_STOP_TREE : scope.pid > 0 ? TRC_MAP_STOP_PROCESS : TRC_MAP_STOP_ALL;
  settings.process = scope.pid;
  return settings;
}

/// Does no thread of the process run any more, or is about to?
bool has_settled(std::int32_t pid) {
  for (const char state : thread_states(pid)) {
    if (state == 'R' || state == 'S') return false;
  }
  return true;
}

/// Lets all processes of the map `held` go on. Only async-signal-safe calls.
void continue_all(int held) {
  std::int32_t pid = 0, next = 0;
  bool more = kernel::next_key(held, nullptr, &next);
  for (int i = 0; more && i < TRC_MAP_STOP_HELD; ++i) {   // a key that goes away meanwhile would begin it all again
    pid = next;
    ::kill(pid, SIGCONT);
    more = kernel::next_key(held, &pid, &next);
  }
}

/// After the end of trc, in a process of its own; only async-signal-safe calls. The map's descriptor is all that is left.
void release_held(const void* context) {
  const int held = *static_cast<const int*>(context);
  for (int round = 0; round < 2; ++round) {
    const timespec pause{.tv_sec = 0, .tv_nsec = kAfterTheEndNs};
    ::nanosleep(&pause, nullptr);
    continue_all(held);
  }
}

}  // namespace

Result<std::unique_ptr<MapStop>> MapStop::start(const probes::Scope& scope, int files) {
  auto stop = std::unique_ptr<MapStop>(new MapStop());
  TRC_CHECK(stop->set_up(scope, files));
  return stop;
}

Result<> MapStop::set_up(const probes::Scope& scope, int files) {
  is_tree_ = scope.is_child;
  TRC_TRY(settings, make_settings(scope));
  TRC_TRY(object, kernel::BpfObject::open({trc_map_stop_object, static_cast<std::size_t>(trc_map_stop_object_end - trc_map_stop_object)}, "trc_map_stop"));
  object_ = std::move(object);
  for (const char* program : {"learn", "mapped", "executed"}) TRC_CHECK(object_->set_type(program, kernel::ProgramType::RawTracepoint));
  TRC_CHECK(object_->set_data(".rodata", 0, as_bytes(settings)));
  TRC_CHECK(object_->use_map("trc_uw_files", files));
  if (auto loaded = object_->load(); !loaded) return loaded;
  TRC_TRY(learn, object_->program("learn"));
  TRC_CHECK(kernel::run_raw_tracepoint(learn));
  TRC_TRY(ring_fd, object_->map("stops"));
  TRC_TRY(held_fd, object_->map("held"));
  TRC_TRY(ring, kernel::RingBuffer::map(ring_fd, TRC_MAP_STOP_RING));
  ring_ = std::move(ring);
  ring_fd_ = ring_fd;
  held_fd_ = held_fd;
  survivor_ = start_survivor("trc-release", std::span(&held_fd_, 1), release_held, &held_fd_);
  if (survivor_ < 0) return Error::from_errno("start the process that would let stopped ones go on");
  TRC_TRY(mapped, object_->program("mapped"));
  TRC_TRY(mapped_link, kernel::attach_raw_tracepoint(mapped, "sys_exit", std::nullopt));
  mapped_ = std::move(mapped_link);
  if (scope.is_child) return {};   // Follow holds what the command executes
  TRC_TRY(executed, object_->program("executed"));
  TRC_TRY(executed_link, kernel::attach_raw_tracepoint(executed, "sched_process_exec", std::nullopt));
  executed_ = std::move(executed_link);
  return {};
}

MapStop::~MapStop() {
  mapped_.reset();
  executed_.reset();
  if (held_fd_ >= 0) {
    continue_all(held_fd_);
    ::usleep(1000);   // a program that was running on another CPU is done
    continue_all(held_fd_);
  }
  if (survivor_ > 0) {
    ::kill(survivor_, SIGKILL);
    ::waitpid(survivor_, nullptr, 0);
  }
}

void MapStop::drain(const Want& want) {
  ring_->drain(
      [&](std::span<const std::byte> bytes) {
        trc_map_stop_record record;
        if (bytes.size() < sizeof record) return true;
        std::memcpy(&record, bytes.data(), sizeof record);
        if (record.pid <= 0) return true;
        ++open_[record.pid];
        want(record);
        return true;
      },
      TRC_MAP_STOP_RING);
}

void MapStop::set_held(std::int32_t pid, bool is_held) {
  const kernel::BpfMap held{.fd = held_fd_, .key_size = sizeof pid, .value_size = 8, .max_entries = TRC_MAP_STOP_HELD};
  const auto key = std::as_bytes(std::span(&pid, 1));
  const std::uint64_t one = 1;
  if (is_held) (void)kernel::update(held, key, std::as_bytes(std::span(&one, 1)), false);
  else (void)kernel::remove(held, key);
}

void MapStop::done(std::int32_t pid, const Want& want) {
  const auto process = open_.find(pid);
  if (process == open_.end()) return;
  if (process->second > 0 && --process->second > 0) return;
  // SIGCONT takes back every SIGSTOP that is still on its way. So the other threads stop first: what they have mapped is known then.
  const auto deadline = Clock::now() + kSettleTime;
  while (true) {
    const bool settled = has_settled(pid);   // before the drain: a thread may stop while the others are looked at
    drain(want);
    if (process->second > 0) return;
    if (settled || Clock::now() > deadline) break;
    ::usleep(static_cast<unsigned>(kSettleLook.count()));
  }
  set_held(pid, false);
  ::kill(pid, SIGCONT);
  drain(want);
  if (process->second == 0) {
    open_.erase(process);
    if (is_tree_) ancestors_.watch(pid);
    return;
  }
  // A thread that had not settled: its stop may have been taken back.
  set_held(pid, true);
  ::kill(pid, SIGSTOP);
}

std::uint64_t MapStop::not_stopped() const {
  std::uint64_t count = 0;
  if (const auto bytes = object_->read_data(".bss", kNotStoppedOffset, sizeof count)) std::memcpy(&count, bytes->data(), sizeof count);
  return count;
}

}  // namespace trc::runtime
