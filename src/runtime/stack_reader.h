// Keeps the stacks that programs send (ActionKind::StackFrames), each once, until a value names one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "image/program_image.h"
#include "runtime/decode.h"

namespace trc::runtime {

class StackReader {
 public:
  /// The bytes of a record; one that is too short for what it says is dropped.
  void add(std::span<const std::byte> record);
  std::optional<Stack> find(const StackId& id) const;

 private:
  struct Hash {
    std::size_t operator()(const StackId& id) const { return id.low ^ id.high; }   // both are hashes already
  };
  struct Stored {
    std::string frames;            // each as the difference to the one before, in as few bytes as that takes
    std::uint64_t time_ns = 0;
    std::uint32_t tgid = 0;
    std::uint16_t end = 0;
  };
  std::unordered_map<StackId, Stored, Hash> stacks_;
};

/// Does the script keep or print user stacks or user symbols, so that processes have to be watched to name them?
bool needs_user_symbols(const image::ProgramImage& image);

}  // namespace trc::runtime
