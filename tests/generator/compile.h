// A script to an image in the same process, and that to the kernel.
#pragma once

#include <optional>
#include <string>

#include "image/program_image.h"

namespace trc::test {

struct Compiled {
  std::optional<image::ProgramImage> image;
  std::string problem;   ///< what there was to say when there is no image
};
Compiled compile(const std::string& script);

/// Why the kernel will not have it; empty when it will.
std::string load(const image::ProgramImage& image);

}  // namespace trc::test
