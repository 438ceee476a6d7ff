// What may be wrong when a run has shown nothing at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "image/program_image.h"

namespace trc::runtime {

/// For each tracepoint of the script that usually stays silent: the sentence that names the one that was probably meant.
std::vector<std::string> silent_tracepoint_hints(const image::ProgramImage& image);

}  // namespace trc::runtime
