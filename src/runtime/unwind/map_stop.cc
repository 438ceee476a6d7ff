#include "runtime/unwind/map_stop.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "kernel/bpf_link.h"
#include "kernel/btf.h"
#include "runtime/proc.h"
#include "runtime/reaper.h"
#include "runtime/unwind/linker_hook.h"

extern const char trc_map_stop_object[];
extern const char trc_map_stop_object_end[];

namespace trc::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kNotStoppedOffset = 8, kOverOffset = 16;   // of `not_stopped` and `over` in .bss
constexpr std::uint64_t kFirstPidNamespace = 0xEFFFFFFC;  // its inode number is fixed in the kernel
// The threads of a stopped process stop within microseconds, but one that is inside a long system call stops at its end.
constexpr std::chrono::milliseconds kSettleTime{200};
constexpr std::chrono::microseconds kSettleLook{100};

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

}  // namespace

Result<std::unique_ptr<MapStop>> MapStop::start(const probes::Scope& scope, int files, const ProcessTree* tree, At at) {
  auto stop = std::unique_ptr<MapStop>(new MapStop());
  TRC_CHECK(stop->set_up(scope, files, tree, at));
  return stop;
}

Result<> MapStop::set_up(const probes::Scope& scope, int files, const ProcessTree* tree, At at) {
  is_tree_ = scope.is_child;
  TRC_TRY(settings, make_settings(scope));
  TRC_TRY(object, kernel::BpfObject::open({trc_map_stop_object, static_cast<std::size_t>(trc_map_stop_object_end - trc_map_stop_object)}, "trc_map_stop"));
  object_ = std::move(object);
  for (const char* program : {"learn", "mapped", "executed"}) TRC_CHECK(object_->set_type(program, kernel::ProgramType::RawTracepoint));
  TRC_CHECK(object_->set_type("linked", kernel::ProgramType::Kprobe));
  if (tree != nullptr) TRC_CHECK(object_->use_map("trc_tree_members", tree->members()));
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
  TRC_TRY(held, HeldProcesses::watch(held_fd));
  held_ = std::move(held);
  if (at == At::EveryMapping) TRC_CHECK(attach("mapped", "sys_exit"));
  // What the command executes, Follow holds.
  if (at == At::EveryMapping && !scope.is_child) TRC_CHECK(attach("executed", "sched_process_exec"));
  return {};
}

Result<> MapStop::attach(const char* name, const char* event) {
  TRC_TRY(program, object_->program(name));
  TRC_TRY(link, kernel::attach_raw_tracepoint(program, event, std::nullopt));
  links_.push_back(std::move(link));
  return {};
}

Result<bool> MapStop::watch_linker(std::int32_t pid, const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  const auto known = [&](const Linker& linker) { return linker.pid == pid && linker.device == info.st_dev && linker.inode == info.st_ino; };
  if (std::any_of(linkers_.begin(), linkers_.end(), known)) return false;
  TRC_TRY(file, symbols::ElfReader::open(path));
  const auto hook = find_linker_hook(file);
  if (!hook) return false;
  TRC_TRY(program, object_->program("linked"));
  const std::uint64_t cookie = static_cast<std::uint64_t>(hook->to_list) << 1 | (hook->is_pointer ? 1U : 0U);
  TRC_TRY(link, kernel::attach_uprobe_event(program, {.path = path, .offset = hook->offset, .pid = pid}, cookie));
  linkers_.push_back({pid, info.st_dev, info.st_ino, std::move(link.link), std::move(link.event)});
  if (linkers_.size() > kMostLinkers) {
    leave_to_reaper(std::array{linkers_.front().link.get(), linkers_.front().event.get()});
    linkers_.pop_front();
  }
  return true;
}

MapStop::~MapStop() {
  links_.clear();
  // These take the kernel long to close, so the programs are told first.
  const std::uint64_t yes = 1;
  (void)object_->write_data(".bss", kOverOffset, as_bytes(yes));
  std::vector<int> slow;
  for (const Linker& linker : linkers_) slow.insert(slow.end(), {linker.link.get(), linker.event.get()});
  if (!slow.empty()) leave_to_reaper(slow);
  held_.reset();
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
  held_->resume(pid);
  drain(want);
  if (process->second == 0) {
    open_.erase(process);
    if (is_tree_) ancestors_.watch(pid);
    return;
  }
  // A thread that had not settled: its stop may have been taken back.
  held_->hold(pid);
}

std::uint64_t MapStop::not_stopped() const {
  std::uint64_t count = 0;
  if (const auto bytes = object_->read_data(".bss", kNotStoppedOffset, sizeof count)) std::memcpy(&count, bytes->data(), sizeof count);
  return count;
}

}  // namespace trc::runtime
