#include "runtime/follow.h"

#include <cstring>
#include <string>

#include "kernel/bpf_link.h"
#include "kernel/pid_namespace.h"

extern const char trc_follow_object[];
extern const char trc_follow_object_end[];

namespace trc::runtime {
namespace {

constexpr std::size_t kRingBytes = 65536;                 // as in follow.bpf.c

template <class T>
std::string_view as_bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

struct Hook { const char *program, *event; };
constexpr Hook kHooks[] = {{"forked", "sched_process_fork"}, {"ended", "sched_process_exit"}, {"executed", "sched_process_exec"}};

/// Where the constants of follow.bpf.c lie: in the order they are defined in.
Result<> set_constants(kernel::BpfObject& object, std::int32_t command) {
  const auto [device, inode] = kernel::own_pid_namespace();
  TRC_CHECK(object.set_data(".rodata", 0, as_bytes(device)));
  TRC_CHECK(object.set_data(".rodata", sizeof device, as_bytes(inode)));
  return object.set_data(".rodata", sizeof device + sizeof inode, as_bytes(command));
}

}  // namespace

Result<std::unique_ptr<Follow>> Follow::start(std::int32_t command, const ProcessTree& tree) {
  auto follow = std::unique_ptr<Follow>(new Follow());
  TRC_TRY(object, kernel::BpfObject::open({trc_follow_object, static_cast<std::size_t>(trc_follow_object_end - trc_follow_object)}, "trc_follow"));
  follow->object_ = std::move(object);
  kernel::BpfObject& bpf = *follow->object_;
  for (const Hook& hook : kHooks) TRC_CHECK(bpf.set_type(hook.program, kernel::ProgramType::RawTracepoint));
  for (const ProcessTree::Named& map : tree.maps()) TRC_CHECK(bpf.use_map(map.name, map.fd));
  TRC_CHECK(set_constants(bpf, command));
  TRC_CHECK(bpf.load());
  TRC_TRY(ring_fd, bpf.map("execs"));
  follow->ring_fd_ = ring_fd;
  TRC_TRY(ring, kernel::RingBuffer::map(ring_fd, kRingBytes));
  follow->ring_ = std::move(ring);
  TRC_TRY(held_fd, bpf.map("held"));
  TRC_TRY(held, HeldProcesses::watch(held_fd));
  follow->held_ = std::move(held);
  for (const Hook& hook : kHooks) {
    TRC_TRY(program, bpf.program(hook.program));
    TRC_TRY(link, kernel::attach_raw_tracepoint(program, hook.event, std::nullopt));
    follow->links_.push_back(std::move(link));
  }
  return follow;
}

Follow::~Follow() { finish(); }

void Follow::drain(const std::function<void(std::int32_t pid)>& executed) {
  ring_->drain(
      [&](std::span<const std::byte> record) {
        std::int32_t pid = 0;
        if (record.size() < sizeof pid) return true;
        std::memcpy(&pid, record.data(), sizeof pid);
        if (pid > 0) executed(pid);
        return true;
      },
      kRingBytes);
}

void Follow::resume(std::int32_t pid) {
  held_->resume(pid);
  ancestors_.watch(pid);
}

void Follow::finish() {
  if (links_.empty()) return;
  links_.clear();
  drain([this](std::int32_t pid) { resume(pid); });   // with its ancestors
  held_.reset();
}

std::uint64_t Follow::not_followed() const {
  std::uint64_t count = 0;   // the only variable in .bss
  if (const auto bytes = object_->read_data(".bss", 0, sizeof count)) std::memcpy(&count, bytes->data(), sizeof count);
  return count;
}

}  // namespace trc::runtime
