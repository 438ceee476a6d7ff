// sudo, some shells and their like stop themselves when their child stops. They go on again once the child does.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>

namespace trc::runtime {

class Ancestors {
 public:
  /// A process below us was let go on; those between it and us are watched for a while.
  void watch(std::int32_t pid);
  /// Lets those go on that have stopped; call it when pending_ms() has passed.
  void look();
  /// Milliseconds until there is something to look at; -1: nothing.
  int pending_ms() const;

 private:
  std::set<std::int32_t> resumed_;
  std::chrono::steady_clock::time_point until_{};
};

}  // namespace trc::runtime
