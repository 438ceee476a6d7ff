#include "runtime/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>

#include "engine_image.h"
#include "kernel/facts.h"
#include "runtime/status.h"

// Functions to probe, in this very program. The assembler ones have a first instruction of our choice.
extern "C" {
[[gnu::noinline]] int trc_probed_one(int x) {
  asm volatile("" : "+r"(x));
  return x + 1;
}
[[gnu::noinline]] int trc_probed_two(int x) {
  asm volatile("" : "+r"(x));
  return x + 2;
}
void trc_probed_locked();
}
#if defined(__x86_64__)
asm(".text\n.globl trc_probed_locked\n.type trc_probed_locked,@function\ntrc_probed_locked: lock incl -8(%rsp)\nret\n.size trc_probed_locked,.-trc_probed_locked\n");
#endif

namespace trc::runtime {
namespace {

using testing::ElementsAre;

/// Where a function of this program lies in its file.
std::uint64_t file_offset(const void* function) {
  const auto address = reinterpret_cast<std::uint64_t>(function);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0, end = 0, offset = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx", &begin, &end, &offset) == 3 && address >= begin && address < end) {
      return address - begin + offset;
    }
  }
  return 0;
}

class EngineTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (const auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
    engine_ = make_kernel_engine({.no_uprobe_multi = GetParam(), .online_cpus = {0}});
    const auto loaded = engine_->load(image_, {41, 42});
    ASSERT_TRUE(loaded) << loaded.error().message() << "\n" << engine_->verifier_log();
  }

  std::uint64_t hits(std::uint64_t key) {
    const auto element = engine_->read_element(kHits, std::as_bytes(std::span(&key, 1)));
    std::uint64_t sum = 0;
    if (!element) return 0;
    for (std::size_t at = 0; at < element->values.size(); at += 8) {
      std::uint64_t one = 0;
      std::memcpy(&one, &element->values[at], 8);
      sum += one;
    }
    return sum;
  }
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> result;
    const auto drained = engine_->drain([&](std::span<const std::byte> record) {
      std::uint64_t number = 0;
      std::memcpy(&number, record.data() + 8, 8);
      result.push_back(number);
      return true;
    });
    EXPECT_EQ(drained.value(), result.size());
    return result;
  }
  probes::UserProbes own(std::initializer_list<const void*> functions, bool is_return = false) {
    probes::UserProbes probes{.path = "/proc/self/exe", .sites = {}, .is_return = is_return, .pid = ::getpid()};
    char path[4096];
    probes.path.assign(path, static_cast<std::size_t>(::readlink("/proc/self/exe", path, sizeof path)));
    for (const void* function : functions) probes.sites.push_back({.offset = file_offset(function), .name = "site", .function = "function"});
    return probes;
  }

  image::ProgramImage image_ = make_image();
  std::unique_ptr<Engine> engine_;
};

TEST_P(EngineTest, RunsAProgramThatSeesItsConstants) {
  ASSERT_TRUE(engine_->run(kBegin));
  pollfd ready{.fd = engine_->event_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ready, 1, 1000), 1);
  EXPECT_THAT(numbers(), ElementsAre(41));
  const auto scalar = engine_->read_map(kScalar);
  ASSERT_TRUE(scalar);
  ASSERT_EQ(scalar->size(), 1U);
  std::uint64_t words[2];
  ASSERT_EQ(scalar->front().values.size(), sizeof words);
  std::memcpy(words, scalar->front().values.data(), sizeof words);
  EXPECT_EQ(words[0], 42U);
  EXPECT_EQ(words[1], 1U);
}

TEST_P(EngineTest, ReadsClearsAndZeroesMaps) {
  ASSERT_TRUE(engine_->run(kBegin));
  auto plain = engine_->read_map(kPlain).value();
  ASSERT_EQ(plain.size(), 100U);
  for (const MapElement& element : plain) {
    std::uint64_t key = 0, value = 0;
    ASSERT_EQ(element.values.size(), 8U);   // 4 bytes, rounded up
    std::memcpy(&key, element.key.data(), 8);
    std::memcpy(&value, element.values.data(), 8);
    EXPECT_EQ(value, key * 3);
  }
  ASSERT_TRUE(engine_->zero_map(kPlain));
  plain = engine_->read_map(kPlain).value();
  EXPECT_EQ(plain.size(), 100U);
  EXPECT_EQ(plain.front().values, std::vector<std::byte>(8));
  ASSERT_TRUE(engine_->clear_map(kPlain));
  EXPECT_EQ(engine_->read_map(kPlain).value().size(), 0U);

  ASSERT_TRUE(engine_->zero_map(kScalar));   // still there
  std::uint64_t words[2];
  std::memcpy(words, engine_->read_map(kScalar).value().front().values.data(), sizeof words);
  EXPECT_EQ(words[0], 0U);
  EXPECT_EQ(words[1], 1U);
  ASSERT_TRUE(engine_->clear_map(kScalar));  // as if never set
  std::memcpy(words, engine_->read_map(kScalar).value().front().values.data(), sizeof words);
  EXPECT_EQ(words[1], 0U);
}

TEST_P(EngineTest, AMissingElementIsNoError) {
  const std::uint64_t key = 77;
  const auto element = engine_->read_element(kHits, std::as_bytes(std::span(&key, 1)));
  ASSERT_TRUE(element);
  EXPECT_TRUE(element->values.empty());
}

TEST_P(EngineTest, CountsWhatTheRingHadNoRoomFor) {
  ASSERT_TRUE(engine_->run(kFlood));
  const std::vector<std::uint64_t> got = numbers();
  const auto lost = engine_->losses();
  ASSERT_EQ(lost.size(), 7U);
  EXPECT_GT(lost[kFlood].ring_full, 0U);
  EXPECT_EQ(got.size() + lost[kFlood].ring_full, 2000U);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], i);
}

TEST_P(EngineTest, UserProbesTellTheirSitesApart) {
  auto attached = engine_->attach({.program = kUser, .first_id = 100, .spec = {"uprobe", own({(void*)trc_probed_one, (void*)trc_probed_two})}});
  ASSERT_TRUE(attached) << attached.error().message();
  EXPECT_EQ((*attached)->sites(), 2U);
  for (int i = 0; i < 7; ++i) trc_probed_one(i);
  for (int i = 0; i < 5; ++i) trc_probed_two(i);
  EXPECT_EQ(hits(100), 7U);
  EXPECT_EQ(hits(101), 5U);
  attached->reset();
  trc_probed_one(1);
  EXPECT_EQ(hits(100), 7U);
}

TEST_P(EngineTest, ReturnProbesFire) {
  auto attached = engine_->attach({.program = kUser, .first_id = 7, .spec = {"uretprobe", own({(void*)trc_probed_one}, true)}});
  ASSERT_TRUE(attached) << attached.error().message();
  trc_probed_one(1);
  EXPECT_EQ(hits(7), 1U);
}

#if defined(__x86_64__)
TEST_P(EngineTest, OneSiteThatCannotBeProbedDoesNotFailTheRest) {
  auto attached = engine_->attach(
      {.program = kUser, .first_id = 10, .spec = {"uprobe", own({(void*)trc_probed_one, (void*)trc_probed_locked, (void*)trc_probed_two})}});
  ASSERT_TRUE(attached) << attached.error().message();
  EXPECT_EQ((*attached)->sites(), 2U);
  EXPECT_THAT((*attached)->refused(), ElementsAre(1));
  trc_probed_one(1);
  trc_probed_two(1);
  trc_probed_locked();
  EXPECT_EQ(hits(10), 1U);
  EXPECT_EQ(hits(11), 0U);
  EXPECT_EQ(hits(12), 1U);
}

TEST_P(EngineTest, OnlySitesThatCannotBeProbedIsAnError) {
  const auto attached = engine_->attach({.program = kUser, .first_id = 10, .spec = {"uprobe:x:f", own({(void*)trc_probed_locked})}});
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().message(), testing::HasSubstr("attach uprobe:x:f: the kernel cannot probe 'function'"));
  EXPECT_EQ(attached.error().exit_status(), kLoadFailure);
}
#endif

TEST_P(EngineTest, AFileThatIsNotThereIsAnError) {
  probes::UserProbes probes{.path = "/nonexistent/file", .sites = {{.offset = 16}}};
  const auto attached = engine_->attach({.program = kUser, .spec = {"uprobe", probes}});
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code(), ENOENT);
}

TEST_P(EngineTest, PidFilterLeavesOtherProcessesAlone) {
  auto attached = engine_->attach({.program = kUser, .first_id = 1, .spec = {"uprobe", own({(void*)trc_probed_one})}});
  ASSERT_TRUE(attached);
  const pid_t child = ::fork();
  if (child == 0) {
    trc_probed_one(1);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(hits(1), 0U);
  trc_probed_one(1);
  EXPECT_EQ(hits(1), 1U);
}

TEST_P(EngineTest, RawTracepointsFire) {
  auto attached = engine_->attach({.program = kRaw, .spec = {"rawtracepoint", probes::RawTracepointAttach{"sched_process_fork"}}});
  ASSERT_TRUE(attached) << attached.error().message();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_GT(hits(5000), 0U);
}

TEST_P(EngineTest, TracepointsFire) {
  const auto format = kernel::system_facts().tracepoint("sched", "sched_process_fork");
  if (!format) GTEST_SKIP() << format.error().message();
  std::vector<std::unique_ptr<Attachment>> attachments;
  auto attached = engine_->attach({.program = kTracepoint, .first_id = 9, .spec = {"tracepoint", probes::TracepointAttach{"sched", "sched_process_fork", format->id}}});
  ASSERT_TRUE(attached) << attached.error().message();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_GT(hits(9), 0U);
}

TEST_P(EngineTest, TimersFire) {
  const probes::PerfEventAttach timer{.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK, .period = 1'000'000};
  auto attached = engine_->attach({.program = kSample, .first_id = 3, .spec = {"profile:ms:1", timer}});
  ASSERT_TRUE(attached) << attached.error().message();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (hits(3) < 3 && std::chrono::steady_clock::now() < until) ::usleep(1000);
  EXPECT_GE(hits(3), 3U);
}

TEST_P(EngineTest, NothingRunsOnceFrozen) {
  auto attached = engine_->attach({.program = kUser, .first_id = 1, .spec = {"uprobe", own({(void*)trc_probed_one})}});
  ASSERT_TRUE(attached);
  trc_probed_one(1);
  ASSERT_TRUE(engine_->freeze());
  trc_probed_one(1);
  EXPECT_EQ(hits(1), 1U);
  ASSERT_TRUE(engine_->run(kBegin));   // begin and end still do
  EXPECT_THAT(numbers(), ElementsAre(41));
}

TEST_P(EngineTest, AnInterruptedAttachStopsWhereItIs) {
  int asked = 0;
  engine_ = make_kernel_engine({.no_uprobe_multi = GetParam(), .interrupted = [&] { return ++asked > 1; }});
  ASSERT_TRUE(engine_->load(image_, {1, 2}));
  const auto attached = engine_->attach({.program = kUser, .spec = {"uprobe", own({(void*)trc_probed_one, (void*)trc_probed_two})}});
  ASSERT_TRUE(attached) << attached.error().message();
  EXPECT_EQ((*attached)->sites(), GetParam() ? 1U : 2U);   // a multi link is one step
}

INSTANTIATE_TEST_SUITE_P(Kernel, EngineTest, testing::Values(false, true),
                         [](const auto& without_multi) { return without_multi.param ? "WithoutUprobeMulti" : "WithUprobeMulti"; });

}  // namespace
}  // namespace trc::runtime
