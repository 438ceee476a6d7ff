// What compiles also loads, and computes what the language says: thousands of generated scripts. A script that fails is printed as small as
// it could be made, with its seed. TRC_GENERATE_SEED is where the seeds begin, TRC_GENERATE how many times the usual number.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "base/owned.h"
#include "generator/compile.h"
#include "generator/control_flow.h"
#include "generator/script.h"
#include "kernel/facts.h"
#include "output/sink.h"
#include "runtime/session.h"
#include "runtime/signals.h"

namespace trc::test {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t usual) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : usual;
}

Machine this_machine() { return {TRC_BINARY_DIR "/tests/programs/work", true}; }

using Problem = std::string;
/// Makes a script of the choices; what is wrong with it, if anything.
using Check = std::function<Problem(Choices&, std::string& script)>;

/// An expression of hundreds of parts may want more stack than a program has, and is refused with that reason: a limit, no mistake, if it is rare.
bool is_limit(const Problem& problem) { return problem.find("512 bytes of stack") != std::string::npos; }
constexpr std::uint64_t kRarely = 50;   // one in so many at most

void check_many(std::uint64_t count, const Check& check) {
  const std::uint64_t first = from_environment("TRC_GENERATE_SEED", 1), last = first + count * from_environment("TRC_GENERATE", 1);
  std::size_t failed = 0, limited = 0;
  for (std::uint64_t seed = first; seed < last && failed < 5; ++seed) {
    Choices choices(seed);
    std::string script;
    const Problem found = check(choices, script);
    limited += is_limit(found) ? 1 : 0;
    if (found.empty() || is_limit(found)) continue;
    ++failed;
    auto fails = [&](const std::vector<std::uint8_t>& bytes) {
      Choices simpler(bytes);
      const Problem still = check(simpler, script);
      return !still.empty() && !is_limit(still);
    };
    Choices simplest(shrink(choices.made(), fails, 400));
    const Problem problem = check(simplest, script);
    ADD_FAILURE() << "seed " << seed << ":\n" << script << "\n" << problem;
  }
  EXPECT_LE(limited * kRarely, last - first);
}

Problem compiles(const std::string& script) {
  const Compiled compiled = compile(script);
  return compiled.image ? back_edge_without_jump(compiled.image->object) : compiled.problem;
}

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kCompiled = 50;   // ten times slower
#else
constexpr std::uint64_t kCompiled = 500;
#endif

TEST(Compile, AnyScript) {
  check_many(kCompiled, [](Choices& choices, std::string& script) { return compiles(script = any_script(choices, {})); });
}

TEST(Compile, ComputedScript) {
  check_many(kCompiled, [](Choices& choices, std::string& script) { return compiles(script = computed_script(choices).text); });
}

// The rest needs root and says so when it is not.
class Kernel : public testing::Test {
 protected:
  void SetUp() override {
    if (auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
  }
};

constexpr std::uint64_t kLoaded = 40;   // a large one takes the verifier seconds; TRC_GENERATE=N makes N times as many

TEST_F(Kernel, LoadsAnyScript) {
  check_many(kLoaded, [](Choices& choices, std::string& script) {
    script = any_script(choices, this_machine());
    const Compiled compiled = compile(script);
    return compiled.image ? load(*compiled.image) : compiled.problem;
  });
}

/// What a run prints on its standard output.
std::string output_of(const image::ProgramImage& image, runtime::EndSignals& signals) {
  const Fd out(::memfd_create("output", MFD_CLOEXEC)), messages(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  output::SinkOptions to;
  to.fd = out.get();
  to.message_fd = messages.get();
  to.buffering = output::Buffering::Full;
  const auto sink = output::find_format("text")->make(to);
  runtime::RunOptions options;
  options.quiet = true;
  auto done = runtime::run(image, options, kernel::system_facts(), signals, nullptr, *sink);
  if (!done) return done.error().message();
  std::string text(static_cast<std::size_t>(::lseek(out.get(), 0, SEEK_END)), '\0');
  if (::pread(out.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return "cannot read the output";
  return text;
}

TEST_F(Kernel, ComputesWhatTheLanguageSays) {
  runtime::EndSignals signals;
  check_many(100, [&](Choices& choices, std::string& script) {
    const ComputedScript computed = computed_script(choices);
    script = computed.text;
    const Compiled compiled = compile(script);
    if (!compiled.image) return compiled.problem;
    const std::string printed = output_of(*compiled.image, signals);
    if (printed.starts_with(computed.prints) && printed.find_first_not_of('\n', computed.prints.size()) == std::string::npos) return Problem();
    return "printed:\n" + printed + "expected:\n" + computed.prints;
  });
}

}  // namespace
}  // namespace trc::test
