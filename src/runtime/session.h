// One run of an image: child or target process, engine, event loop, output.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "image/program_image.h"
#include "kernel/facts.h"
#include "output/sink.h"
#include "probes/provider.h"
#include "runtime/signals.h"

namespace trc::runtime {

struct RunOptions {
  enum class Mode : std::uint8_t { Trace, Test, Bench };
  Mode mode = Mode::Trace;            ///< --test, --bench: only the script's own tests or benchmarks are run
  std::int32_t pid = -1;              ///< -p
  bool quiet = false;                 ///< -q
  bool verbose = false;               ///< -v
  bool all_warnings = false;          ///< -k: also failed probe reads and lookups
  bool no_warnings = false;
  bool dry_run = false;
  bool show_libbpf = false, show_verifier = false;   ///< -d libbpf, -d verifier: on standard output
  bool unsafe = false;                ///< --unsafe
  bool exit_with_child = false;
  bool stop_on_map = false;           ///< processes are held while the unwind table of a file that they have mapped is made
  std::vector<std::string> no_features;  ///< kernel features to do without: "uprobe_multi", "kprobe_multi"
  std::string probe_filter;           ///< regular expression; only attach points whose name holds a match are attached; empty: all
  std::string notify_attached;        ///< printed as a line once every probe is attached; empty: nothing
};

/// A forked child held before its exec, its standard streams inherited. Killed (SIGTERM) if trc dies or this object goes first.
class Child {
 public:
  /// Splits `command` as a shell would (quotes, backslashes; no expansion), finds the program on PATH, forks and holds.
  static Result<std::unique_ptr<Child>> start(const std::string& command);
  virtual ~Child() = default;
  virtual std::int32_t pid() const = 0;
  virtual const std::string& program_path() const = 0;   ///< what will be executed
  virtual Result<> release() = 0;                         ///< lets it exec
  virtual int pidfd() const = 0;                          ///< readable when it has ended
  /// Wait status once it has ended (waitpid); -1 before.
  virtual int status() = 0;
};

/// Runs to the end; returns the exit status of trc. Errors are failures to load or attach; maps that were filled are printed all the same.
/// `signals` is made before the command is started and the script compiled, so that Ctrl-C ends a run in order whenever it comes.
Result<int> run(const image::ProgramImage& image, const RunOptions& options, const kernel::Facts& facts, EndSignals& signals,
                std::unique_ptr<Child> child, output::Sink& sink);

}  // namespace trc::runtime
