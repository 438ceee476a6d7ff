// Asks the running kernel whether it has a feature, by trying it. The answers are kept by Facts (facts.h); ask there.
#pragma once

#include "kernel/facts.h"

namespace trc::kernel {

bool probe_feature(Feature feature);

}  // namespace trc::kernel
