// --test and --bench: programs that the script has for its own sake.
#pragma once

#include <vector>

#include "runtime/actions.h"
#include "runtime/attacher.h"

namespace trc::runtime {

/// What both need of a session.
struct SelfTestWorld {
  const image::ProgramImage& image;
  Engine& engine;                   ///< loaded, nothing attached
  output::Sink& sink;
  const DecodeContext& decode;
  Messages& messages;
  ActionOptions options;
};

/// Runs each test and tells the sink. False if one failed: it returned something else than 0, reported an error or called exit() with a code.
Result<bool> run_tests(const std::vector<Attacher::OwnRun>& tests, const SelfTestWorld& world);

/// Measures each benchmark in batches twice as large as the one before until one takes a millisecond. What they print is dropped.
Result<> run_benchmarks(const std::vector<Attacher::OwnRun>& benchmarks, const SelfTestWorld& world);

}  // namespace trc::runtime
