#include "runtime/ancestors.h"

#include <signal.h>
#include <unistd.h>

#include "runtime/proc.h"

namespace trc::runtime {
namespace {

constexpr int kLookEveryMs = 20;
constexpr int kMostAncestors = 16;
constexpr std::chrono::milliseconds kWatch{500};

}  // namespace

void Ancestors::watch(std::int32_t pid) {
  resumed_.insert(pid);
  until_ = std::chrono::steady_clock::now() + kWatch;
  look();
}

void Ancestors::look() {
  if (resumed_.empty()) return;
  const std::int32_t self = ::getpid();
  for (const std::int32_t process : resumed_) {
    auto status = process_status(process);
    for (int depth = 0; status && status->parent > 1 && status->parent != self && depth < kMostAncestors; ++depth) {
      const std::int32_t parent = status->parent;
      status = process_status(parent);
      if (status && status->state == 'T') ::kill(parent, SIGCONT);
    }
  }
  if (std::chrono::steady_clock::now() > until_) resumed_.clear();
}

int Ancestors::pending_ms() const { return resumed_.empty() ? -1 : kLookEveryMs; }

}  // namespace trc::runtime
