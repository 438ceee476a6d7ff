// Processes that BPF programs of ours have stopped and that only we let go on. If trc is killed, a small process of its own does it.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"

namespace trc::runtime {

class HeldProcesses {
 public:
  /// `map`: that of held_abi.h, borrowed. Call it before the program that fills it is attached.
  static Result<std::unique_ptr<HeldProcesses>> watch(int map);
  /// All go on. Detach the program first.
  ~HeldProcesses();
  HeldProcesses(const HeldProcesses&) = delete;
  HeldProcesses& operator=(const HeldProcesses&) = delete;

  /// Stops a process once more.
  void hold(std::int32_t pid);
  void resume(std::int32_t pid);

 private:
  explicit HeldProcesses(int map) : map_(map) {}
  void put(std::int32_t key);
  void take(std::int32_t key);

  int map_;
  std::int32_t survivor_ = -1;
};

}  // namespace trc::runtime
