#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <fstream>
#include <map>

#include "output/value.h"
#include "runtime/session_run.h"
#include "runtime/stack_text.h"
#include "runtime/status.h"
#include "stdlib/unwind_abi.h"
#include "symbols/symbolizer.h"

namespace trc::runtime {
namespace {

using lang::ActionKind;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Log = std::vector<std::string>;
using Record = std::vector<std::byte>;

struct FakeFacts : kernel::Facts {
  Result<std::string> tracefs() const override { return Error("no tracefs here"); }
  Result<std::vector<std::string>> tracepoints() const override { return std::vector<std::string>{}; }
  Result<kernel::TracepointFormat> tracepoint(const std::string&, const std::string&) const override { return Error("no tracepoints here"); }
  Result<std::vector<std::string>> raw_tracepoints() const override { return std::vector<std::string>{}; }
  Result<std::uint32_t> raw_tracepoint_arguments(const std::string&) const override { return 0U; }
  bool has(kernel::Feature) const override { return true; }
  std::uint32_t possible_cpus() const override { return 1; }
  std::vector<std::uint32_t> online_cpus() const override { return {0}; }
  std::uint64_t max_sample_rate() const override { return 100000; }
  std::uint64_t max_kernel_stack() const override { return 127; }
  bool in_initial_pid_namespace() const override { return true; }
};

struct FakeAttachment : Attachment {
  FakeAttachment(Log& log, std::string name, std::function<bool()> run_part) : log_(log), name_(std::move(name)), run_part_(std::move(run_part)) {}
  ~FakeAttachment() override { log_.push_back("detach " + name_); }
  Result<bool> run_part() override { return run_part_(); }
  Log& log_;
  std::string name_;
  std::function<bool()> run_part_;
};

/// An engine without a kernel: programs send the records that the test gives them.
class FakeEngine : public Engine {
 public:
  explicit FakeEngine(Log& log) : log_(log), fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  std::map<std::uint32_t, std::vector<Record>> sent_by_run;      ///< program: records
  std::map<std::uint32_t, std::uint32_t> returned_by_run;
  std::vector<Record> sent_after_attach;
  std::deque<std::vector<Record>> sent_in_parts;                 ///< of an iterator
  std::map<std::uint32_t, std::vector<MapElement>> contents;
  std::string fails_to_attach;
  bool can_freeze = true;
  std::vector<image::LossCounters> lost;
  std::vector<std::array<std::uint64_t, TRC_STACK_ENDS>> ends;
  std::function<void()> on_attach;

  Result<> load(const image::ProgramImage& image, const std::vector<std::uint64_t>& constants) override {
    image_ = &image;
    log_.push_back("load");
    constants_seen = constants;
    return {};
  }
  std::string verifier_log() const override { return {}; }
  Result<std::uint32_t> run(std::uint32_t program) override {
    log_.push_back("run " + image_->programs[program].name);
    for (const Record& record : sent_by_run[program]) push(record);
    return returned_by_run[program];
  }
  Result<std::unique_ptr<Attachment>> attach(const AttachRequest& request) override {
    if (request.spec.name == fails_to_attach) return Error("attach " + request.spec.name + ": refused").status(kLoadFailure);
    log_.push_back("attach " + request.spec.name);
    for (const Record& record : sent_after_attach) push(record);
    sent_after_attach.clear();
    if (on_attach) on_attach();
    return std::unique_ptr<Attachment>(std::make_unique<FakeAttachment>(log_, request.spec.name, [this] { return run_part(); }));
  }
  bool freeze() override {
    if (can_freeze) log_.push_back("freeze");
    return can_freeze;
  }
  bool detach(std::vector<std::unique_ptr<Attachment>>) override { return true; }
  int event_fd() const override { return fd_.get(); }
  Result<std::size_t> drain(const std::function<bool(std::span<const std::byte>)>& handle) override {
    std::size_t records = 0;
    bool more = true;
    while (more && !queue_.empty()) {
      const Record record = queue_.front();
      queue_.pop_front();
      ++records;
      more = handle(record);
    }
    return records;
  }
  Result<std::vector<MapElement>> read_map(std::uint32_t map) override { return contents[map]; }
  Result<MapElement> read_element(std::uint32_t, std::span<const std::byte>) override { return MapElement{}; }
  Result<> clear_map(std::uint32_t map) override {
    log_.push_back("clear " + image_->maps[map].script_name);
    return {};
  }
  Result<> zero_map(std::uint32_t map) override {
    log_.push_back("zero " + image_->maps[map].script_name);
    return {};
  }
  std::vector<image::LossCounters> losses() override { return lost; }
  std::vector<std::array<std::uint64_t, TRC_STACK_ENDS>> stack_ends() override { return ends; }

  std::vector<std::uint64_t> constants_seen;

 private:
  bool run_part() {
    if (sent_in_parts.empty()) return false;
    log_.push_back("part");
    for (const Record& record : sent_in_parts.front()) push(record);
    sent_in_parts.pop_front();
    return true;
  }
  void push(const Record& record) {
    queue_.push_back(record);
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(fd_.get(), &one, sizeof one), 8);
  }
  Log& log_;
  Fd fd_;
  const image::ProgramImage* image_ = nullptr;
  std::deque<Record> queue_;
};

struct FakeSink : output::Sink {
  explicit FakeSink(Log& to) : log(to) {}
  void attached(std::size_t probes) override { log.push_back("attached " + std::to_string(probes)); }
  void text(std::string_view formatted) override { log.push_back("text " + std::string(formatted)); }
  void value(const output::Value& value) override { log.push_back("value " + output::to_text(value)); }
  void map(const output::MapDump& map) override {
    for (const auto& [key, value] : map.entries) log.push_back("map " + map.name + "=" + output::to_text(value));
  }
  void map_value(std::string_view name, const output::Value& value) override { log.push_back("map_value " + std::string(name) + "=" + output::to_text(value)); }
  void time(std::string_view text) override { log.push_back("time " + std::string(text)); }
  void join(std::string_view text) override { log.push_back("join " + std::string(text)); }
  void lost(std::uint64_t events) override { log.push_back("lost " + std::to_string(events)); }
  void error(const output::Origin& at, std::string_view message, std::string_view helper, std::int64_t code) override {
    log.push_back("error " + at.position + "|" + at.source_line + "|" + at.underline + "|" + std::string(message) + "|" + std::string(helper) + "|" + std::to_string(code));
  }
  void truncated_stacks(const output::TruncatedStacks& truncated) override {
    log.push_back("truncated " + truncated.probe + " of " + std::to_string(truncated.stacks));
    for (const auto& [reason, count] : truncated.reasons) log.back() += ", " + reason + " " + std::to_string(count);
  }
  void cat(std::string_view content) override { log.push_back("cat " + std::string(content)); }
  void system(std::string_view output) override { log.push_back("system " + std::string(output)); }
  void said(const output::Origin& at, Severity severity, std::string_view text) override {
    log.push_back((severity == Severity::Error ? "errorf " : "warnf ") + at.position + " " + std::string(text));
  }
  void test_end(const output::TestResult& result) override { log.push_back((result.passed ? "passed " : "failed ") + result.name + " " + result.output); }
  void benchmarks(const std::vector<output::BenchmarkResult>& results) override {
    for (const auto& result : results) log.push_back("measured " + result.name);
  }
  void end_of_run() override { log.push_back("end_of_run"); }
  void flush() override {}
  Result<> finish() override {
    log.push_back("finish");
    return {};
  }
  Log& log;
};

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    image_.sources = {{"stdin", "begin { @x = 1 / 0; }\n"}};
    image_.maps = {{.name = "m1", .script_name = "@z", .role = image::MapRole::User, .value_size = 8, .max_entries = 1, .value = lang::make_int64()},
                   {.name = "m2", .script_name = "@A", .role = image::MapRole::User, .value_size = 8, .max_entries = 1, .value = lang::make_int64()},
                   {.name = "ring", .role = image::MapRole::Ring}};
    engine_.contents[0] = {element(5)};
    engine_.contents[1] = {element(6)};
  }

  static MapElement element(std::int64_t value) {
    MapElement e{.key = std::vector<std::byte>(4), .values = std::vector<std::byte>(8)};
    std::memcpy(e.values.data(), &value, 8);
    return e;
  }

  /// A probe with a program of its own; returns the program's index.
  std::uint32_t probe(const std::string& provider, const std::string& text, lang::ProgramKind kind = lang::ProgramKind::TestRun) {
    const auto program = static_cast<std::uint32_t>(image_.programs.size());
    image_.programs.push_back({.name = text, .kind = kind});
    image_.probes.push_back({.provider = provider, .text = text, .program = program});
    return program;
  }
  std::uint32_t interval() { return probe("interval", "interval:ms:10", lang::ProgramKind::PerfEvent); }

  std::uint32_t event(ActionKind action, std::vector<lang::Type> fields = {}, std::string text = {}, std::uint32_t map = lang::kNoMap) {
    lang::EventSchema schema{.action = action, .text = std::move(text), .map = map, .span = {0, 13, 18}};
    for (lang::Type& type : fields) schema.fields.push_back({.type = std::move(type)});
    lang::lay_out(schema);
    image_.events.push_back(schema);
    return static_cast<std::uint32_t>(image_.events.size() - 1);
  }
  Record record(std::uint32_t event, std::vector<std::uint64_t> numbers = {}) {
    const lang::EventSchema& schema = image_.events[event];
    Record bytes(schema.size);
    std::memcpy(bytes.data(), &event, 4);
    for (std::size_t i = 0; i < numbers.size(); ++i) std::memcpy(&bytes[schema.fields[i].offset], &numbers[i], schema.fields[i].type.size);
    return bytes;
  }
  Record text(const std::string& what) { return record(event(ActionKind::Printf, {}, what)); }
  Record exit(std::uint64_t code) { return record(event(ActionKind::Exit, {lang::make_uint64()}), {code}); }

  Result<int> run(std::unique_ptr<Child> child = nullptr) {
    return run_on(engine_, signals_, image_, options_, facts_, std::move(child), sink_);
  }

  Log log_;
  image::ProgramImage image_;
  RunOptions options_{.quiet = true};
  FakeFacts facts_;
  FakeEngine engine_{log_};
  FakeSink sink_{log_};
  EndSignals signals_;
};

TEST_F(SessionTest, BeginAndEndAloneRunAndEnd) {
  const auto begin = probe("begin", "begin");
  const auto end = probe("end", "end");
  engine_.sent_by_run[begin] = {text("hello")};
  engine_.sent_by_run[end] = {text("bye")};
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, ElementsAre("load", "run begin", "attached 2", "text hello", "run end", "text bye", "end_of_run", "map @A=6", "map @z=5", "finish"));
}

TEST_F(SessionTest, AnIteratorIsEmptiedBetweenItsParts) {
  probe("iter", "iter:task");
  image_.programs.back().kind = lang::ProgramKind::Iterator;
  engine_.sent_in_parts = {{text("one"), text("two")}, {text("three")}};
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, ElementsAre("load", "attach iter:task", "attached 1", "part", "text one", "text two", "part", "text three", "freeze", "end_of_run", "map @A=6",
                                "map @z=5", "detach iter:task", "finish"));
}

TEST_F(SessionTest, AnIteratorEndsWithExit) {
  probe("iter", "iter:task");
  image_.programs.back().kind = lang::ProgramKind::Iterator;
  engine_.sent_in_parts = {{text("one"), exit(3)}, {text("never")}};
  EXPECT_EQ(run().value(), 3);
  EXPECT_THAT(log_, testing::AllOf(Contains("text one"), Not(Contains("text never"))));
}

TEST_F(SessionTest, StacksAreKeptAfterExit) {
  const auto begin = probe("begin", "begin");
  image_.maps[0] = {.name = "m1", .script_name = "@s", .role = image::MapRole::User, .value_size = 16, .max_entries = 1,
                    .value = lang::make_stack(false, 127, "raw")};
  const auto frames = event(ActionKind::StackFrames);
  const trc_stack_record head{.event = frames, .name_low = 1, .name_high = 2, .count = 1};
  const std::uint64_t frame = 0xabc, name[] = {1, 2};
  Record stack(sizeof head + sizeof frame);
  std::memcpy(stack.data(), &head, sizeof head);
  std::memcpy(stack.data() + sizeof head, &frame, sizeof frame);
  engine_.sent_by_run[begin] = {exit(0), text("not shown"), stack};
  engine_.contents[0] = {{.key = std::vector<std::byte>(4), .values = std::vector<std::byte>(16)}};
  std::memcpy(engine_.contents[0].front().values.data(), name, sizeof name);
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, ElementsAre("load", "run begin", "attached 1", "end_of_run", "map @A=6", "map @s=\nabc\n", "finish"));
}

TEST_F(SessionTest, StacksThatAreCutAreTold) {
  probe("begin", "begin");
  probe("end", "end");
  options_.quiet = false;
  engine_.ends.resize(2);
  engine_.ends[0] = {};
  engine_.ends[0][TRC_STACK_Root] = 5;
  engine_.ends[0][TRC_STACK_Asked] = 1;   // cut because the script said so: nothing to tell
  engine_.ends[1] = {};
  engine_.ends[1][TRC_STACK_Root] = 5000;
  engine_.ends[1][TRC_STACK_NoRule] = 1;
  engine_.ends[1][TRC_STACK_KernelLimit] = 2;
  testing::internal::CaptureStderr();
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("end: 3 of 5,003 stacks are cut: code without unwind information or frame pointer, 1; kernel.perf_event_max_stack reached, 2"),
                    HasSubstr("sysctl kernel.perf_event_max_stack=1024"), Not(HasSubstr("begin:"))));
  EXPECT_THAT(log_, Contains("truncated end of 5003, code without unwind information or frame pointer 1, kernel.perf_event_max_stack reached 2"));
}

// The kernel gives as many frames as it may and does not say whether there were more.
TEST_F(SessionTest, KernelStacksThatEndWhereTheKernelIsEnteredAreWhole) {
  std::map<std::string, std::uint64_t> addresses;
  std::ifstream symbols("/proc/kallsyms");
  std::uint64_t address = 0;
  char kind = 0;
  for (std::string name; symbols >> std::hex >> address >> kind >> name; symbols.ignore(1000, '\n')) addresses.emplace(name, address);
  const std::uint64_t root = addresses["entry_SYSCALL_64_after_hwframe"], other = addresses["do_syscall_64"];
  if (root == 0 || other == 0) GTEST_SKIP() << "lacks the addresses in /proc/kallsyms";
  probe("begin", "begin");
  options_.quiet = false;
  engine_.ends.resize(1);
  engine_.ends[0] = {};
  engine_.ends[0][TRC_STACK_Root] = 5;
  engine_.ends[0][TRC_STACK_KernelLimit] = 10;
  image_.maps.push_back({.name = "limits", .role = image::MapRole::StackLimits});
  const auto limit = [](std::uint64_t last, std::uint64_t stacks) {
    const trc_stack_limit key{.program = 0, .last = last};
    MapElement element{.key = std::vector<std::byte>(sizeof key), .values = std::vector<std::byte>(sizeof stacks)};
    std::memcpy(element.key.data(), &key, sizeof key);
    std::memcpy(element.values.data(), &stacks, sizeof stacks);
    return element;
  };
  engine_.contents[3] = {limit(root, 7), limit(other, 2), limit(0x1234, 1)};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("begin: 3 of 15 stacks are cut: kernel.perf_event_max_stack reached, 3"));
  symbols::Symbolizer symbolizer;
  DecodeContext context;
  context.symbolizer = &symbolizer;
  const auto text = [&](std::uint64_t last) {
    return stack_text(lang::make_stack(false, 127, ""), {.frames = {other, last}, .end = TRC_STACK_KernelLimit}, 0, context);
  };
  EXPECT_THAT(text(root), AllOf(HasSubstr("do_syscall_64"), Not(HasSubstr("truncated"))));
  EXPECT_THAT(text(other), HasSubstr("[truncated: kernel.perf_event_max_stack reached]"));
}

TEST_F(SessionTest, ExitInBeginAttachesNothing) {
  const auto begin = probe("begin", "begin");
  probe("end", "end");
  interval();
  engine_.sent_by_run[begin] = {text("one"), exit(260), text("never seen")};
  EXPECT_EQ(run().value(), 4);
  EXPECT_THAT(log_, ElementsAre("load", "run begin", "attached 2", "text one", "run end", "end_of_run", "map @A=6", "map @z=5", "finish"));
}

TEST_F(SessionTest, EventsUntilExitThenTheEnd) {
  probe("begin", "begin");
  const auto end = probe("end", "end");
  interval();
  engine_.sent_after_attach = {text("tick"), exit(3), text("late")};
  engine_.sent_by_run[end] = {text("end")};
  EXPECT_EQ(run().value(), 3);
  EXPECT_THAT(log_, ElementsAre("load", "run begin", "attach interval:ms:10", "attached 3", "text tick", "freeze", "run end", "text end", "end_of_run",
                                "map @A=6", "map @z=5", "detach interval:ms:10", "finish"));
}

TEST_F(SessionTest, AnEngineThatCannotFreezeDetachesFirst) {
  probe("end", "end");
  interval();
  engine_.can_freeze = false;
  engine_.sent_after_attach = {exit(0)};
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, ElementsAre("load", "attach interval:ms:10", "attached 2", "detach interval:ms:10", "run end", "end_of_run", "map @A=6", "map @z=5", "finish"));
}

TEST_F(SessionTest, ASignalEndsTheRunWithMapsAndWhatWaits) {
  interval();
  engine_.sent_after_attach = {text("waiting")};
  engine_.on_attach = [] { ::raise(SIGINT); };
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, Contains("text waiting"));
  EXPECT_THAT(log_, Contains("map @z=5"));
}

TEST_F(SessionTest, ASignalDuringAttachStopsAttaching) {
  interval();
  probe("profile", "profile:hz:99", lang::ProgramKind::PerfEvent);
  engine_.on_attach = [] { ::raise(SIGTERM); };
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, Not(Contains("attach profile:hz:99")));
  EXPECT_THAT(log_, Not(Contains("attached 2")));
  EXPECT_THAT(log_, Contains("map @A=6"));
}

TEST_F(SessionTest, AFailedAttachStillShowsWhatWasCounted) {
  const auto begin = probe("begin", "begin");
  interval();
  engine_.sent_by_run[begin] = {text("hello")};
  engine_.fails_to_attach = "interval:ms:10";
  const auto result = run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().exit_status(), kLoadFailure);
  EXPECT_THAT(log_, ElementsAre("load", "run begin", "text hello", "end_of_run", "map @A=6", "map @z=5"));
}

TEST_F(SessionTest, MissingProbesWarnGoesOn) {
  interval();
  probe("profile", "profile:hz:99", lang::ProgramKind::PerfEvent);
  image_.settings.missing_probes = "warn";
  engine_.fails_to_attach = "interval:ms:10";
  engine_.sent_after_attach = {exit(0)};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("WARNING: attach interval:ms:10: refused. Skipping."));
  EXPECT_THAT(log_, Contains("attached 1"));
}

TEST_F(SessionTest, DryRunPrintsNothing) {
  const auto begin = probe("begin", "begin");
  probe("end", "end");
  interval();
  engine_.sent_by_run[begin] = {text("hello")};
  options_.dry_run = true;
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, ElementsAre("load", "run begin", "attach interval:ms:10", "detach interval:ms:10"));
}

TEST_F(SessionTest, TheChildsEndEndsTheRun) {
  interval();
  options_.exit_with_child = true;
  auto child = Child::start("sh -c 'exit 9'");
  ASSERT_TRUE(child);
  image_.constants = {{.which = static_cast<std::uint8_t>(lang::RuntimeConstant::ChildPid)}};
  const auto pid = static_cast<std::uint64_t>((*child)->pid());
  EXPECT_EQ(run(std::move(*child)).value(), 9);
  EXPECT_THAT(engine_.constants_seen, ElementsAre(pid));
  EXPECT_THAT(log_, Contains("map @z=5"));
}

TEST_F(SessionTest, AChildKilledBySignalIsTold) {
  interval();
  options_.quiet = false;
  auto child = Child::start("sh -c 'kill -SEGV $$'");
  ASSERT_TRUE(child);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run(std::move(*child)).value(), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("the command was killed by signal 11"));
}

TEST_F(SessionTest, AChildsStatusIsToldUnlessItIsOurs) {
  interval();
  options_.quiet = false;
  for (const bool ours : {false, true}) {
    options_.exit_with_child = ours;
    auto child = Child::start("sh -c 'exit 7'");
    ASSERT_TRUE(child);
    testing::internal::CaptureStderr();
    EXPECT_EQ(run(std::move(*child)).value(), ours ? 7 : 0);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), ours ? "" : "the command exited with status 7\n");
  }
}

TEST_F(SessionTest, ATargetThatIsNotThereIsRefused) {
  interval();
  options_.pid = 0x3fffff;
  const auto result = run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ESRCH);
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(SessionTest, LostEventsAreReportedAndExplained) {
  probe("begin", "begin");
  engine_.lost = {{.ring_full = 12, .map_full = 3}};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run().value(), 0);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log_, Contains("lost 12"));
  EXPECT_THAT(said, HasSubstr("WARNING: Total lost event count: 12\n"));
  EXPECT_THAT(said, HasSubstr("WARNING: begin: 12 events found no room in the ring buffer\nHINT: "));
  EXPECT_THAT(said, HasSubstr("WARNING: begin: 3 map updates found no room"));
}

TEST_F(SessionTest, EveryActionReachesTheSink) {
  const auto begin = probe("begin", "begin");
  const auto number = lang::make_int64();
  engine_.sent_by_run[begin] = {
      record(event(ActionKind::Printf, {number}, "n=%d\n"), {7}),
      record(event(ActionKind::PrintValue, {number}), {8}),
      record(event(ActionKind::PrintMap, {lang::make_uint64(), lang::make_uint64()}, "", 0), {0, 0}),
      record(event(ActionKind::PrintMapValue, {number}, "", 1), {9}),
      record(event(ActionKind::ClearMap, {}, "", 0)),
      record(event(ActionKind::ZeroMap, {}, "", 1)),
      record(event(ActionKind::Time, {}, "plain")),
      record(event(ActionKind::Errorf, {number}, "bad %d"), {5}),
      record(event(ActionKind::Warnf, {number}, "odd %d"), {6}),
      record(event(ActionKind::System, {number}, "echo %d; echo err >&2"), {1}),
      record(event(ActionKind::Cat, {}, "/proc/sys/kernel/ostype")),
  };
  image_.settings.print_maps_on_exit = false;
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, ElementsAre("load", "run begin", "attached 1", "text n=7\n", "value 8", "map @z=5", "map_value @A=9", "clear @z", "zero @A", "time plain",
                                "errorf stdin:1:14-19 bad 5", "warnf stdin:1:14-19 odd 6", "system 1\nerr\n", "cat Linux\n", "end_of_run", "finish"));
}

TEST_F(SessionTest, FilesAndCommandsThatFailAreTold) {
  const auto begin = probe("begin", "begin");
  engine_.sent_by_run[begin] = {record(event(ActionKind::Cat, {}, "/nonexist")), record(event(ActionKind::System, {}, "echo out; exit 3")),
                                record(event(ActionKind::System, {}, "kill -9 $$"))};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, Contains("system out\n"));
  const std::string messages = testing::internal::GetCapturedStderr();
  EXPECT_THAT(messages, HasSubstr("ERROR: failed to open file '/nonexist' (No such file or directory)\n"));
  EXPECT_THAT(messages, HasSubstr("ERROR: command exited with status 3\n"));
  EXPECT_THAT(messages, HasSubstr("ERROR: command was killed by signal 9 (Killed)\n"));
}

TEST_F(SessionTest, CatStopsAtItsLimit) {
  const auto begin = probe("begin", "begin");
  engine_.sent_by_run[begin] = {record(event(ActionKind::Cat, {}, "/proc/sys/kernel/ostype"))};
  image_.settings.max_cat_bytes = 3;
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, Contains("cat Lin"));
}

TEST_F(SessionTest, ACommandInTheBackgroundIsNotWaitedFor) {
  const auto begin = probe("begin", "begin");
  engine_.sent_by_run[begin] = {record(event(ActionKind::System, {}, "sleep 1000 & echo $!"))};
  EXPECT_EQ(run().value(), 0);
  const auto said = std::find_if(log_.begin(), log_.end(), [](const std::string& line) { return line.starts_with("system "); });
  ASSERT_NE(said, log_.end());
  EXPECT_EQ(::kill(std::stoi(said->substr(7)), SIGKILL), 0);
}

TEST_F(SessionTest, TestsRunOneAfterAnother) {
  const auto begin = probe("begin", "begin"), good = probe("test", "test:good"), bad = probe("test", "test:bad"), wrong = probe("test", "test:wrong"),
             code = probe("test", "test:code"), end = probe("end", "end");
  const auto print = event(ActionKind::Printf, {lang::make_int64()}, "n=%d\n");
  engine_.sent_by_run[good] = {record(print, {1})};
  engine_.sent_by_run[bad] = {record(print, {2})};
  engine_.returned_by_run[bad] = 1;
  engine_.sent_by_run[wrong] = {record(event(ActionKind::Errorf, {}, "no"))};
  engine_.sent_by_run[code] = {record(event(ActionKind::Exit, {lang::make_uint64()}), {4})};
  engine_.sent_by_run[begin] = {record(print, {0})};
  engine_.sent_by_run[end] = {record(print, {9})};
  options_.mode = RunOptions::Mode::Test;
  EXPECT_EQ(run().value(), 1);
  log_.erase(std::remove_if(log_.begin(), log_.end(), [](const std::string& line) { return line.starts_with("run "); }), log_.end());
  EXPECT_THAT(log_, ElementsAre("load", "text n=0\n", "passed good n=1\n", "failed bad n=2\n", "failed wrong stdin:1:14-19: ERROR: no\n", "failed code ", "text n=9\n",
                                "end_of_run", "finish"));
}

TEST_F(SessionTest, TestsAreLeftAloneUnlessAskedFor) {
  const auto test = probe("test", "test:one");
  engine_.sent_by_run[test] = {record(event(ActionKind::Printf, {}, "no\n"))};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, Not(Contains("text no\n")));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("use --test to run test probes"));
}

TEST_F(SessionTest, AFailureIsShownOnceWithItsPlaceAndCounted) {
  const auto begin = probe("begin", "begin");
  const auto division = event(ActionKind::RuntimeError, {}, "Divide or modulo by 0 detected");
  const auto full = event(ActionKind::HelperError, {lang::make_int64()}, "map_update_elem");
  const auto usual = event(ActionKind::HelperError, {lang::make_int64()}, "probe_read_user");
  const auto code = static_cast<std::uint64_t>(-E2BIG);
  engine_.sent_by_run[begin] = {record(division), record(division), record(full, {code}), record(usual, {static_cast<std::uint64_t>(-EFAULT)})};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, Contains("error stdin:1:14-19|begin { @x = 1 / 0; }|             ~~~~~|Divide or modulo by 0 detected||0").Times(1));
  EXPECT_THAT(log_, Contains(HasSubstr("Map full; can't update element")));
  EXPECT_THAT(log_, Not(Contains(HasSubstr("probe_read_user"))));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("stdin:1:14-19: Divide or modulo by 0 detected (repeated 2 times)"));
}

// COVERS option -k
TEST_F(SessionTest, WithKAlsoFailedReadsAreShown) {
  const auto begin = probe("begin", "begin");
  engine_.sent_by_run[begin] = {record(event(ActionKind::HelperError, {lang::make_int64()}, "probe_read_user"), {static_cast<std::uint64_t>(-EFAULT)})};
  options_.all_warnings = true;
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, Contains(HasSubstr("Bad address|probe_read_user|-14")));
}

TEST_F(SessionTest, DamagedRecordsAreDropped) {
  const auto begin = probe("begin", "begin");
  Record unknown(16);
  const std::uint32_t number = 99;
  std::memcpy(unknown.data(), &number, 4);
  engine_.sent_by_run[begin] = {unknown, Record(3), text("good")};
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(log_, Contains("text good"));
}

TEST_F(SessionTest, KernelEventsAttachInTheOrderOfTheScript) {
  interval();
  probe("profile", "profile:hz:99", lang::ProgramKind::PerfEvent);
  probe("software", "software:faults:1", lang::ProgramKind::PerfEvent);
  engine_.sent_after_attach = {exit(0)};
  EXPECT_EQ(run().value(), 0);
  EXPECT_THAT(Log(log_.begin(), log_.begin() + 4), ElementsAre("load", "attach interval:ms:10", "attach profile:hz:99", HasSubstr("attach software:")));
}

}  // namespace
}  // namespace trc::runtime
