#include "runtime/self_tests.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>

#include "base/owned.h"

namespace trc::runtime {
namespace {

constexpr std::uint64_t kLongEnoughNs = 1'000'000;
constexpr std::uint64_t kMostIterations = 1 << 20;   // a program that takes less than a nanosecond is empty

/// Takes what a test prints, results and messages alike.
class Capture {
 public:
  static Result<Capture> make() {
    Capture capture;
    capture.file_.reset(::memfd_create("trc-test", MFD_CLOEXEC));
    if (!capture.file_) return Error::from_errno("memory for what tests print");
    capture.sink_ = output::find_format("text")->make(
        {.fd = capture.file_.get(), .buffering = output::Buffering::None, .quiet = true, .message_fd = capture.file_.get()});
    return capture;
  }
  output::Sink& sink() { return *sink_; }
  std::string take() {
    sink_->flush();
    std::string text(static_cast<std::size_t>(std::max<off_t>(::lseek(file_.get(), 0, SEEK_END), 0)), '\0');
    const ssize_t read = ::pread(file_.get(), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(read, 0)));
    return text;
  }

 private:
  Capture() = default;
  Fd file_;
  std::unique_ptr<output::Sink> sink_;
};

Result<output::TestResult> run_test(const Attacher::OwnRun& test, const SelfTestWorld& world) {
  TRC_TRY(capture, Capture::make());
  Actions actions(world.image, world.engine, capture.sink(), world.decode, world.messages, world.options);
  const auto start = std::chrono::steady_clock::now();
  TRC_TRY(returned, world.engine.run(test.program));
  const auto end = std::chrono::steady_clock::now();
  auto drained = world.engine.drain([&](std::span<const std::byte> record) {
    actions.handle(record);
    return true;
  });
  if (!drained) return std::move(drained).error();
  const bool passed = returned == 0 && actions.errors() == 0 && actions.exit_code() == 0;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count();
  return output::TestResult{test.name, passed, static_cast<std::uint64_t>(ns), capture.take()};
}

}  // namespace

Result<bool> run_tests(const std::vector<Attacher::OwnRun>& tests, const SelfTestWorld& world) {
  std::vector<output::TestResult> results;
  bool passed = true;
  world.sink.tests_begin(tests.size());
  for (const Attacher::OwnRun& test : tests) {
    world.sink.test_begin(test.name);
    TRC_TRY(result, run_test(test, world));
    world.sink.test_end(result);
    passed = passed && result.passed;
    results.push_back(std::move(result));
  }
  world.sink.tests_end(results);
  return passed;
}

Result<> run_benchmarks(const std::vector<Attacher::OwnRun>& benchmarks, const SelfTestWorld& world) {
  std::vector<output::BenchmarkResult> results;
  for (const Attacher::OwnRun& benchmark : benchmarks) {
    std::uint64_t iterations = 1, ns = 0;
    while (true) {
      TRC_TRY(taken, world.engine.measure(benchmark.program, iterations));
      ns = taken;
      auto drained = world.engine.drain([](std::span<const std::byte>) { return true; });
      if (!drained) return std::move(drained).error();
      if (ns >= kLongEnoughNs || iterations >= kMostIterations) break;
      iterations *= 2;
    }
    results.push_back({benchmark.name, ns / iterations, iterations});
  }
  world.sink.benchmarks(results);
  return {};
}

}  // namespace trc::runtime
