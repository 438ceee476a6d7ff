// Who prints. One class per format, one row in formats.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/owned.h"
#include "base/result.h"
#include "output/value.h"
#include "source/diagnostics.h"

namespace trc::output {

/// When buffered text goes out. Line: after each line on a terminal; elsewhere when flush() is called, that is whenever the ring buffer
/// has been drained, which saves a system call per line and loses nothing. Full: only when the buffer is full, and at finish(). None: at once.
enum class Buffering : std::uint8_t { Line, Full, None };

/// Where an error or warning of a run came from; rendered position and source line, empty when unknown.
struct Origin {
  std::string position, source_line, underline;
  std::vector<Origin> expanded_from = {};   ///< the calls of macros that it stands in, innermost first
};

/// Stacks of one probe.
struct TruncatedStacks {
  std::string probe;
  std::uint64_t stacks = 0;                                       ///< all that were taken
  std::vector<std::pair<std::string, std::uint64_t>> reasons;     ///< why some are cut, and how many for that reason
};

/// A test: probe with --test, a bench: probe with --bench.
struct TestResult { std::string name; bool passed = false; std::uint64_t ns = 0; std::string output; };
struct BenchmarkResult { std::string name; std::uint64_t average_ns = 0, iterations = 0; };

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void attached(std::size_t probes) = 0;                ///< "Attached N probes" (stderr in text mode; a line in JSON)
  virtual void text(std::string_view formatted) = 0;            ///< printf
  virtual void value(const Value& value) = 0;                   ///< print(x)
  virtual void map(const MapDump& map) = 0;                     ///< print(@m), and maps at exit
  virtual void map_value(std::string_view name, const Value& value) = 0;  ///< print of a scalar map's captured value: "@x: v"
  virtual void time(std::string_view text) = 0;
  virtual void join(std::string_view text) = 0;                 ///< without the newline
  virtual void cat(std::string_view content) = 0;               ///< of a file
  virtual void system(std::string_view output) = 0;             ///< of a command
  virtual void lost(std::uint64_t events) = 0;                  ///< one detected batch
  /// Some of a probe's stacks do not end where stacks end; for programs, people are told on standard error.
  virtual void truncated_stacks(const TruncatedStacks& stacks) { (void)stacks; }
  virtual void error(const Origin& at, std::string_view message, std::string_view helper, std::int64_t code) = 0;  ///< helper may be empty
  virtual void said(const Origin& at, Severity severity, std::string_view text) = 0;   ///< errorf, warnf
  virtual void tests_begin(std::size_t count) { (void)count; }
  virtual void test_begin(const std::string& name) { (void)name; }
  virtual void test_end(const TestResult& result) = 0;
  virtual void tests_end(const std::vector<TestResult>& results) { (void)results; }
  virtual void benchmarks(const std::vector<BenchmarkResult>& results) = 0;
  virtual void end_of_run() = 0;                                ///< before the maps at exit: the two newlines in text mode
  virtual void flush() = 0;                                     ///< the ring is drained, or the run ends
  /// Text goes to a terminal: strings of traced processes must not reach it raw (append_harmless). What the script itself writes may.
  virtual bool is_terminal() const { return false; }
  virtual bool failed() const { return false; }                 ///< a write has failed: nothing that is printed arrives any more
  virtual Result<> finish() = 0;                                ///< a write that failed (disk full, closed pipe) shows here at the latest
};

struct SinkOptions {
  int fd = 1;                           ///< where results go; borrowed, not closed
  Buffering buffering = Buffering::Line;
  bool quiet = false;
  std::string trailer = std::string(kDefaultTrailer);
  bool compat = false;                  ///< the bytes of the reference, also where ours are better
  int message_fd = 2;                   ///< where text mode writes "Attached …", warnings and errors
};
struct Format { std::string_view name, doc; std::unique_ptr<Sink> (*make)(const SinkOptions&); };
std::span<const Format> formats();
const Format* find_format(std::string_view name);

}  // namespace trc::output
