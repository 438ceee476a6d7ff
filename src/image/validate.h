#pragma once

#include "image/program_image.h"

namespace trc::image {

/// What the runner relies on without looking: enumerators that exist, indices and offsets inside what they point into. Every image that
/// code generation makes passes.
Result<> validate(const ProgramImage& image);

}  // namespace trc::image
