#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_facts.h"
#include "probes/provider.h"

namespace trc::probes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Attach points that trc would make, or what it says instead.
struct Answer {
  std::vector<std::string> names;
  std::string error, hint;
  std::size_t skipped = 0;
  KernelProbes probes;
};

class Kprobe : public testing::Test {
 protected:
  Kprobe() {
    facts.functions = kernel::KernelFunctions::parse(
        "ffffffff81000100 t vfs_read\n"
        "ffffffff81000200 t vfs_write\n"
        "ffffffff81000300 t vfs_write.cold\n"
        "ffffffff81000400 t vfs_hidden\n"
        "ffffffff81000500 t vfs_locked\n"
        "ffffffff81000600 t _raw_spin_lock\n"
        "ffffffff81000700 t only.isra.0\n"
        "ffffffff81000800 t same\n"
        "ffffffff81000900 t same\n"
        "ffffffff81000a00 t first_name\n"
        "ffffffff81000a00 t second_name\n"
        "ffffffff81000b00 t two_places\n"
        "ffffffffc0000000 t two_places\t[ext4]\n"
        "ffffffffc0000100 t ext4_only\t[ext4]\n",
        "vfs_read\nvfs_write\nvfs_locked\n_raw_spin_lock\nonly.isra.0\nsame\nfirst_name\nsecond_name\ntwo_places\ntwo_places [ext4]\next4_only [ext4]\n",
        "0xffffffff81000500-0xffffffff81000580\tvfs_locked\n");
  }

  Answer ask(std::string_view text, bool unsafe = false) {
    Scope scope;
    scope.unsafe = unsafe;
    Answer answer;
    auto parsed = parse_attach_point(text, scope);
    auto expansion = parsed ? parsed->provider->expand(parsed->target, facts, scope) : Result<Expansion>(parsed.error());
    if (!expansion) {
      answer.error = expansion.error().message();
      answer.hint = expansion.error().hint();
      return answer;
    }
    answer.skipped = expansion->skipped;
    answer.probes = std::get<KernelProbes>(expansion->specs.at(0).how);
    for (const KernelSite& site : answer.probes.sites) answer.names.push_back(site.name);
    return answer;
  }

  FakeFacts facts;
};

TEST_F(Kprobe, ANameIsOneFunction) {
  const Answer answer = ask("k:vfs_read");
  EXPECT_THAT(answer.names, ElementsAre("kprobe:vfs_read"));
  EXPECT_EQ(answer.probes.sites[0].address, 0xffffffff81000100u);
  EXPECT_FALSE(answer.probes.is_return);
  EXPECT_TRUE(ask("kr:vfs_read").probes.is_return);
  EXPECT_EQ(ask("kprobe:vfs_read+0x10").probes.sites[0].offset, 16u);
}

TEST_F(Kprobe, AWildcardPassesOverWhatCannotBeProbed) {
  const Answer answer = ask("kprobe:vfs_*");
  EXPECT_THAT(answer.names, ElementsAre("kprobe:vfs_read", "kprobe:vfs_write"));
  EXPECT_EQ(answer.skipped, 2u);
  EXPECT_THAT(ask("kprobe:*_name").names, ElementsAre("kprobe:first_name"));   // two names of one place
  EXPECT_THAT(ask("kprobe:_raw_*").error, HasSubstr("none of the 1 functions can be probed"));
  EXPECT_EQ(ask("kprobe:nothing*").error, "No matches for kprobe:nothing*");
}

TEST_F(Kprobe, ModulesTellFunctionsApart) {
  EXPECT_THAT(ask("kprobe:two_places").error, HasSubstr("ambiguous"));
  EXPECT_EQ(ask("kprobe:two_places").hint, "write kprobe:vmlinux:two_places or kprobe:ext4:two_places");
  EXPECT_EQ(ask("kprobe:ext4:two_places").probes.sites[0].address, 0xffffffffc0000000u);
  EXPECT_EQ(ask("kprobe:vmlinux:two_places").probes.sites[0].address, 0xffffffff81000b00u);
  EXPECT_THAT(ask("kprobe:ext4:*").names, ElementsAre("kprobe:ext4:two_places", "kprobe:ext4:ext4_only"));
  EXPECT_THAT(ask("kprobe:*:two_places").names, ElementsAre("kprobe:vmlinux:two_places", "kprobe:ext4:two_places"));
  EXPECT_EQ(ask("kprobe:ext4:vfs_read").hint, "it is in vmlinux: kprobe:vmlinux:vfs_read");
  EXPECT_EQ(ask("kprobe:same").hint, "write kprobe:0xffffffff81000800 or kprobe:0xffffffff81000900 (with --unsafe)");
}

TEST_F(Kprobe, RefusalsAreToldApart) {
  EXPECT_THAT(ask("kprobe:vfs_raed").error, HasSubstr("no such function in this kernel"));
  EXPECT_EQ(ask("kprobe:vfs_raed").hint, "did you mean vfs_read?");
  EXPECT_THAT(ask("kprobe:vfs_hidden").error, HasSubstr("notrace"));
  EXPECT_THAT(ask("kprobe:vfs_locked").error, HasSubstr("allows no probe on vfs_locked"));
  EXPECT_THAT(ask("kprobe:only").hint, HasSubstr("only.isra.0"));
  EXPECT_THAT(ask("kprobe:only.isra.0").names, ElementsAre("kprobe:only.isra.0"));
  EXPECT_THAT(ask("kprobe:_raw_spin_lock").error, HasSubstr("can hang the machine"));
  EXPECT_THAT(ask("kprobe:_raw_spin_lock", true).names, ElementsAre("kprobe:_raw_spin_lock"));
  EXPECT_THAT(ask("kprobe:0xffffffff81000100").error, HasSubstr("--unsafe"));
  EXPECT_EQ(ask("kprobe:0xffffffff81000100", true).probes.sites[0].address, 0xffffffff81000100u);
  EXPECT_THAT(ask("kretprobe:vfs_read+4").error, HasSubstr("takes no offset"));
  EXPECT_EQ(ask("kprobe:a:b:c:d").error, "kprobe probe type requires 1 or 2 arguments, found 4");
}

TEST_F(Kprobe, AKernelWithoutThemIsSaidPlainly) {
  facts.lacks = {kernel::Feature::Kprobe};
  const Answer answer = ask("kprobe:vfs_read");
  EXPECT_THAT(answer.error, HasSubstr("this kernel was built without kprobes (CONFIG_KPROBES)"));
  EXPECT_THAT(answer.hint, HasSubstr("tracepoint"));
}

TEST_F(Kprobe, ListsWhatCanBeProbed) {
  const auto names = list_probes("kprobe:*e*", facts, {});
  ASSERT_TRUE(names.has_value());
  EXPECT_THAT(*names, ElementsAre("kprobe:ext4:ext4_only", "kprobe:ext4:two_places", "kprobe:first_name", "kprobe:same", "kprobe:two_places",
                                  "kprobe:vfs_read", "kprobe:vfs_write"));
}

TEST(Watchpoint, ChecksItsForm) {
  const auto error = [](std::string_view text) {
    auto parsed = parse_attach_point(text, {});
    return parsed ? parsed->target.text : parsed.error().message();
  };
  EXPECT_EQ(error("w:0x1000:8:w"), "watchpoint:0x1000:8:w");
  EXPECT_EQ(error("watchpoint:0x1000:8:wr"), "watchpoint:0x1000:8:wr");
  EXPECT_EQ(error("watchpoint:0x1000:3:w"), "watchpoint length must be one of (1,2,4,8)");
  EXPECT_THAT(error("watchpoint:0x1000:8:r"), HasSubstr("both reads and writes (rw)"));
  EXPECT_THAT(error("watchpoint:0x1000:8:q"), HasSubstr("letters r, w and x"));
  EXPECT_THAT(error("watchpoint:0x1000:8:ww"), HasSubstr("twice"));
  EXPECT_THAT(error("watchpoint:0x1001:8:w"), HasSubstr("multiple of 8"));
  EXPECT_THAT(error("watchpoint:0x1000:4:x"), HasSubstr("length of a word"));
  EXPECT_THAT(error("watchpoint:main:8:w"), HasSubstr("not an address"));
  EXPECT_EQ(error("watchpoint:0x1000:8"), "watchpoint probe type requires 3 arguments, found 2");
}

TEST(Hardware, RefusesWhereNothingCounts) {
  FakeFacts facts;
  auto parsed = parse_attach_point("h:cycles", {});
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->target.text, "hardware:cpu-cycles");
  EXPECT_TRUE(parsed->provider->contexts(parsed->target, facts, {}, false).has_value());
  facts.lacks = {kernel::Feature::HardwareCounters};
  auto refused = parsed->provider->contexts(parsed->target, facts, {}, false);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), HasSubstr("no PMU"));
  EXPECT_THAT(refused.error().hint(), HasSubstr("profile"));
}

}  // namespace
}  // namespace trc::probes
