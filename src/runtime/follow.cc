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

/// Where the constants of follow.bpf.c lie: in the order they are defined in.
Result<> set_namespace(kernel::BpfObject& object) {
  const auto [device, inode] = kernel::own_pid_namespace();
  TRC_CHECK(object.set_data(".rodata", 0, as_bytes(device)));
  return object.set_data(".rodata", sizeof device, as_bytes(inode));
}

}  // namespace

Result<std::unique_ptr<Follow>> Follow::start() {
  auto follow = std::unique_ptr<Follow>(new Follow());
  TRC_TRY(object, kernel::BpfObject::open({trc_follow_object, static_cast<std::size_t>(trc_follow_object_end - trc_follow_object)}, "trc_follow"));
  follow->object_ = std::move(object);
  kernel::BpfObject& bpf = *follow->object_;
  TRC_CHECK(bpf.set_type("learn", kernel::ProgramType::RawTracepoint));
  TRC_CHECK(bpf.set_type("executed", kernel::ProgramType::RawTracepoint));
  TRC_CHECK(set_namespace(bpf));
  TRC_CHECK(bpf.load());
  TRC_TRY(learn, bpf.program("learn"));
  TRC_CHECK(kernel::run_raw_tracepoint(learn));  // it notes our own process number
  TRC_TRY(ring_fd, bpf.map("execs"));
  follow->ring_fd_ = ring_fd;
  TRC_TRY(ring, kernel::RingBuffer::map(ring_fd, kRingBytes));
  follow->ring_ = std::move(ring);
  TRC_TRY(held_fd, bpf.map("held"));
  TRC_TRY(held, HeldProcesses::watch(held_fd));
  follow->held_ = std::move(held);
  TRC_TRY(executed, bpf.program("executed"));
  TRC_TRY(link, kernel::attach_raw_tracepoint(executed, "sched_process_exec", std::nullopt));
  follow->link_ = std::move(link);
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
  if (!link_) return;
  link_.reset();
  drain([this](std::int32_t pid) { resume(pid); });   // with its ancestors
  held_.reset();
}

}  // namespace trc::runtime
