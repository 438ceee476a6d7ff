// A run on a given engine: what session.h's run() does once it has made the real one. Tests put a fake engine here.
#pragma once

#include "runtime/engine.h"
#include "runtime/session.h"
#include "runtime/signals.h"

namespace trc::runtime {

Result<int> run_on(Engine& engine, EndSignals& signals, const image::ProgramImage& image, const RunOptions& options,
                   const kernel::Facts& facts, std::unique_ptr<Child> child, output::Sink& sink);

}  // namespace trc::runtime
