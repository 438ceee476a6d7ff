// Finds the frames of a stack value: which Stacks map, which entry, kept once read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "image/program_image.h"
#include "runtime/decode.h"
#include "runtime/engine.h"

namespace trc::runtime {

class StackReader {
 public:
  StackReader(const image::ProgramImage& image, Engine& engine) : image_(image), engine_(engine) {}
  std::optional<std::vector<std::uint64_t>> frames(const StackId& id);

 private:
  const image::ProgramImage& image_;
  Engine& engine_;
  std::map<std::tuple<bool, std::uint32_t, std::uint64_t, std::uint64_t>, std::vector<std::uint64_t>> known_;
};

/// Does the script keep or print user stacks or user symbols, so that processes have to be watched to name them?
bool needs_user_symbols(const image::ProgramImage& image);

}  // namespace trc::runtime
