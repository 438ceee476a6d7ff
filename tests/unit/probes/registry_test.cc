#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_facts.h"
#include "probes/provider.h"
#include "probes/registry.h"

namespace trc::probes {
namespace {

std::string text_of(std::string_view attach_point) {
  auto parsed = parse_attach_point(attach_point, {});
  return parsed ? parsed->target.text : "error: " + parsed.error().message();
}

std::string hint_of(std::string_view attach_point) {
  auto parsed = parse_attach_point(attach_point, {});
  return parsed ? "" : parsed.error().hint();
}

PerfEventAttach perf_event(std::string_view attach_point, const Scope& scope = {}) {
  auto parsed = parse_attach_point(attach_point, scope);
  EXPECT_TRUE(parsed.has_value());
  auto expansion = parsed->provider->expand(parsed->target, FakeFacts(), scope);
  EXPECT_TRUE(expansion.has_value());
  return std::get<PerfEventAttach>(expansion->specs.at(0).how);
}

TEST(Registry, FindsByNameAndAliasInAnyCase) {
  EXPECT_EQ(text_of("begin"), "begin");
  EXPECT_EQ(text_of("BEGIN"), "begin");
  EXPECT_EQ(text_of(" End "), "end");
  EXPECT_EQ(text_of("i:s:1"), "interval:s:1");
  EXPECT_EQ(text_of("Profile:hz:99"), "profile:hz:99");
  EXPECT_EQ(text_of("\"interval\":\"s\":\"1\""), "interval:s:1");
}

TEST(Registry, OldNamesAreAliases) {
  EXPECT_EQ(text_of("kfunc:vfs_read"), "fentry:vfs_read");
  EXPECT_EQ(text_of("kretfunc:vfs_read"), "fexit:vfs_read");
  EXPECT_EQ(text_of("it:task"), "iter:task");
  EXPECT_EQ(text_of("prof*:hz:99"), "error: No probe type matched for prof*");
}

TEST(Registry, AWildcardForTheProbeTypeTakesThoseThatFit) {
  auto expand = [](std::string_view text, const Scope& scope) { return expand_provider(text, scope).value_or(std::vector<std::string>{}); };
  EXPECT_EQ(expand("begin", {}), std::vector<std::string>{"begin"});
  EXPECT_EQ(expand("*e*:hz:9", {}), (std::vector<std::string>{"fentry:hz:9", "fexit:hz:9", "tracepoint:hz:9", "rawtracepoint:hz:9", "profile:hz:9", "interval:hz:9"}));
  EXPECT_EQ(expand("u*:/bin/sh:main", {}), (std::vector<std::string>{"uprobe:/bin/sh:main", "uretprobe:/bin/sh:main", "usdt:/bin/sh:main"}));
  EXPECT_EQ(expand("up*:main", {.pid = 1}), std::vector<std::string>{"uprobe:main"});
  EXPECT_EQ(expand_provider("nosuch*:x", {}).error().message(), "No probe type matched for nosuch*");
}

TEST(Registry, ProbesThatTrcRunsItself) {
  EXPECT_EQ(text_of("self:signal:SIGUSR1"), "self:signal:SIGUSR1");
  EXPECT_EQ(text_of("self:signal:SIGUSR2"), "error: SIGUSR2 is not a supported signal");
  EXPECT_EQ(text_of("self:timer:1"), "error: self:timer is not a probe");
  EXPECT_EQ(text_of("test:one"), "test:one");
  EXPECT_EQ(text_of("bench:one"), "bench:one");
  EXPECT_EQ(text_of("test:"), "error: test probes have a name");
}

TEST(Registry, UnknownNamesGetTheNearest) {
  EXPECT_EQ(text_of("frob"), "error: Invalid probe type: frob");
  EXPECT_EQ(text_of("intervall:s:1"), "error: Invalid probe type: intervall");
  EXPECT_EQ(hint_of("intervall:s:1"), "did you mean interval?");
  EXPECT_EQ(text_of(""), "error: an attach point must name a probe type");
  EXPECT_EQ(text_of("begin:\"x"), "error: unterminated string in the attach point");
}

TEST(BeginEnd, TakesNoFieldsAndRunsOnce) {
  EXPECT_EQ(text_of("begin:x"), "error: begin probe type requires 0 arguments, found 1");
  auto parsed = parse_attach_point("END", {});
  auto expansion = parsed->provider->expand(parsed->target, FakeFacts(), {});
  EXPECT_EQ(std::get<RunByUs>(expansion->specs.at(0).how).when, RunWhen::End);
  auto groups = parsed->provider->contexts(parsed->target, FakeFacts(), {}, false);
  ASSERT_EQ(groups->size(), 1u);
  EXPECT_EQ(groups->at(0).context.kind, lang::ProgramKind::TestRun);
}

TEST(Timer, Rates) {
  EXPECT_EQ(perf_event("profile:hz:99").frequency, 99u);
  EXPECT_EQ(perf_event("profile:hz:99").period, 0u);
  EXPECT_TRUE(perf_event("profile:hz:99").every_cpu);
  EXPECT_EQ(perf_event("interval:ms:10").period, 10'000'000u);
  EXPECT_FALSE(perf_event("interval:ms:10").every_cpu);
  EXPECT_EQ(perf_event("interval:1m").period, 60'000'000'000u);
  EXPECT_EQ(perf_event("interval:us:1_000").period, 1'000'000u);
  EXPECT_EQ(perf_event("interval:us:2e6").period, 2'000'000'000u);
}

TEST(Timer, DurationsAreShownInMicroseconds) {
  EXPECT_EQ(text_of("profile:10ms"), "profile:us:10000");
  EXPECT_EQ(text_of("interval:1500ns"), "interval:1500ns");
  EXPECT_EQ(text_of(text_of("interval:1500ns")), "interval:1500ns");
}

TEST(Timer, OnlyProfileIsRestrictedToAProcess) {
  Scope scope;
  scope.pid = 42;
  EXPECT_EQ(perf_event("profile:hz:99", scope).pid, 42);
  EXPECT_EQ(perf_event("interval:hz:99", scope).pid, -1);
}

TEST(Timer, Mistakes) {
  EXPECT_EQ(text_of("interval:s:0"), "error: interval frequency should be a positive integer");
  EXPECT_EQ(text_of("interval:s:-1"), "error: interval frequency should be a positive integer");
  EXPECT_EQ(text_of("interval:s:x"), "error: Invalid rate of interval probe: invalid integer: x");
  EXPECT_EQ(text_of("interval:s:"), "error: Invalid rate of interval probe: invalid integer: ");
  EXPECT_EQ(text_of("interval:500ns"), "error: Invalid rate of interval probe. Minimum is 1000 or 1us. Found: 500 nanoseconds");
  EXPECT_EQ(text_of("profile:99"), "error: Invalid rate of profile probe. Minimum is 1000 or 1us. Found: 99 nanoseconds");
  EXPECT_EQ(hint_of("profile:99"), "did you mean profile:hz:99?");
  EXPECT_EQ(text_of("interval:min:5"), "error: Invalid unit of interval probe: min");
  EXPECT_EQ(text_of("interval:d:5"), "error: Invalid unit of interval probe: d");
  EXPECT_EQ(text_of("interval"), "error: interval probe type requires 1 or 2 arguments, found 0");
  EXPECT_EQ(text_of("interval:s:18446744073709551615"), "error: Invalid rate of interval probe: 18446744073709551615 is too long");
}

TEST(Timer, RefusesMoreThanTheKernelSamples) {
  auto parsed = parse_attach_point("profile:hz:100001", {});
  auto groups = parsed->provider->contexts(parsed->target, FakeFacts(), {}, false);
  ASSERT_FALSE(groups.has_value());
  EXPECT_EQ(groups.error().message(), "profile:hz:100001 asks for more samples than the kernel allows: at most 100000 a second");
}

TEST(Software, AliasesAndCounts) {
  EXPECT_EQ(text_of("software:faults:1"), "software:page-faults:1");
  EXPECT_EQ(text_of("s:cs"), "software:context-switches");
  EXPECT_EQ(perf_event("software:cs").period, 1000u);
  EXPECT_EQ(perf_event("software:cs").config, 3u);
  EXPECT_EQ(perf_event("software:faults:7").period, 7u);
  EXPECT_EQ(text_of("software:cs:0"), "error: software count should be a positive integer");
  EXPECT_EQ(text_of("software:page-fault"), "error: Unknown software event: page-fault");
  EXPECT_EQ(hint_of("software:page-fault").substr(0, 24), "did you mean page-faults");
  EXPECT_EQ(text_of("software:*"), "error: software probes take no wildcard");
}

TEST(Listing, UnitsAndEvents) {
  using ::testing::ElementsAre;
  EXPECT_THAT(*list_probes("interval:*", FakeFacts(), {}), ElementsAre("interval:hz:", "interval:ms:", "interval:s:", "interval:us:"));
  EXPECT_THAT(*list_probes("software:cpu*,i:hz", FakeFacts(), {}),
              ElementsAre("software:cpu-clock:", "software:cpu-migrations:", "software:cpu:", "interval:hz:"));
  EXPECT_FALSE(list_probes("fentry:*", FakeFacts(), {}).has_value());
}

}  // namespace
}  // namespace trc::probes
