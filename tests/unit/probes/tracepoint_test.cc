#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_facts.h"
#include "probes/provider.h"
#include "probes/tracepoint_types.h"
#include "unit/build_program.h"

namespace trc::probes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using lang::AddressSpace;

std::string describe(const std::string& type, std::uint32_t size, bool is_signed, AddressSpace space = AddressSpace::Kernel) {
  const lang::ContextValue value = tracepoint_member({"f", type, 8, size, is_signed}, space);
  std::string text = lang::type_name(value.type);
  if (std::holds_alternative<lang::DataLocSource>(value.source)) text += " data_loc";
  if (!value.why_unreadable.empty()) text += " unreadable";
  return text;
}

TEST(TracepointTypes, Integers) {
  EXPECT_EQ(describe("int", 4, true), "int32");
  EXPECT_EQ(describe("unsigned long", 8, false), "uint64");
  EXPECT_EQ(describe("pid_t", 4, true), "int32");
  EXPECT_EQ(describe("enum zone_type", 4, false), "uint32");
  EXPECT_EQ(describe("char", 1, true), "int8");
  EXPECT_EQ(describe("gfp_t", 8, false), "uint64");
  EXPECT_EQ(describe("bool", 1, false), "uint8");
}

TEST(TracepointTypes, ArgumentsOfSystemCallsHaveTheirOwnWidth) {
  EXPECT_EQ(describe("int", 8, false), "int32");
  EXPECT_EQ(describe("unsigned int", 8, false), "uint32");
  EXPECT_EQ(describe("umode_t", 8, false), "uint16");
  EXPECT_EQ(describe("size_t", 8, false), "uint64");
}

TEST(TracepointTypes, TextPointersAndArrays) {
  EXPECT_EQ(describe("char[16]", 16, false), "string[16]");
  EXPECT_EQ(describe("u8[6]", 6, false), "uint8[6]");
  EXPECT_EQ(describe("unsigned long[6]", 48, false), "uint64[6]");
  EXPECT_EQ(describe("struct foo[2]", 24, false), "uint8[24]");
  EXPECT_EQ(describe("struct foo", 24, false), "uint8[24]");
  const auto name = tracepoint_member({"f", "const char *", 8, 8, false}, AddressSpace::User).type;
  EXPECT_TRUE(name.is(lang::TypeKind::Pointer));
  EXPECT_EQ(name.space, AddressSpace::User);
  EXPECT_EQ(name.element(), lang::make_integer(8, true));
  const auto list = tracepoint_member({"f", "const char *const *", 8, 8, false}, AddressSpace::User).type;
  EXPECT_TRUE(list.element().is(lang::TypeKind::Pointer));
  EXPECT_TRUE(tracepoint_member({"f", "struct sock *", 8, 8, false}, AddressSpace::Kernel).type.element() == lang::make_struct("struct sock"));
}

TEST(TracepointTypes, DynamicOnesPointIntoTheRecord) {
  const auto value = tracepoint_member({"f", "__data_loc char[]", 12, 4, false}, AddressSpace::User);
  EXPECT_TRUE(value.type.is(lang::TypeKind::Pointer));
  EXPECT_EQ(value.type.space, AddressSpace::Kernel);
  EXPECT_EQ(std::get<lang::DataLocSource>(value.source).offset, 12u);
  EXPECT_THAT(describe("__data_loc u32[]", 4, false), HasSubstr("data_loc"));
  EXPECT_THAT(describe("__rel_loc char[]", 4, false), HasSubstr("unreadable"));
}

class TracepointProvider : public ::testing::Test {
 protected:
  void SetUp() override {
    event("syscalls", "sys_enter_openat", 1, "\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;\n");
    event("syscalls", "sys_enter_open", 2, "\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;\n");
    event("syscalls", "sys_exit_open", 3, "\tfield:long ret;\toffset:16;\tsize:8;\tsigned:1;\n");
    event("sched", "empty", 4, "");
    facts_.events_folder = folder_.path("tracing");
  }
  void event(const std::string& category, const std::string& name, int id, const std::string& fields) {
    const std::string at = "tracing/events/" + category + "/" + name;
    folder_.write(at + "/format", "name: " + name + "\nID: " + std::to_string(id) +
                                      "\nformat:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n" + fields + "\nprint fmt: \"\"\n");
  }
  Result<std::vector<ContextGroup>> groups(const std::string& text, bool needs_args = true) {
    auto parsed = parse_attach_point(text, {});
    if (!parsed) return std::move(parsed).error();
    return parsed->provider->contexts(parsed->target, facts_, {}, needs_args);
  }
  std::string error(const std::string& text) {
    auto result = groups(text);
    return result ? "no error" : result.error().message() + " | " + result.error().hint();
  }
  std::vector<std::string> specs(const std::string& text) {
    auto parsed = parse_attach_point(text, {});
    auto expansion = parsed->provider->expand(parsed->target, facts_, {});
    std::vector<std::string> names;
    for (const AttachSpec& spec : expansion->specs) {
      if (const auto* how = std::get_if<TracepointAttach>(&spec.how)) names.push_back(spec.name + "=" + std::to_string(how->id));
      if (const auto* how = std::get_if<RawTracepointAttach>(&spec.how)) names.push_back(spec.name + "=" + how->event);
    }
    return names;
  }
  TemporaryFolder folder_;
  FakeFacts facts_;
};

TEST_F(TracepointProvider, OneEvent) {
  const auto found = groups("t:syscalls:sys_exit_open");
  ASSERT_TRUE(found.has_value()) << found.error().message();
  ASSERT_EQ(found->size(), 1u);
  const lang::Context& context = found->front().context;
  EXPECT_EQ(context.kind, lang::ProgramKind::Tracepoint);
  EXPECT_EQ(context.space, AddressSpace::User);
  ASSERT_EQ(context.named.size(), 1u);
  EXPECT_EQ(context.named[0].name, "ret");
  EXPECT_EQ(context.refused_names.at(0).prefix, "common_");
  EXPECT_EQ(groups("tracepoint:sched:empty")->front().context.space, AddressSpace::Kernel);
  EXPECT_THAT(specs("t:syscalls:sys_exit_open"), ElementsAre("tracepoint:syscalls:sys_exit_open=3"));
}

TEST_F(TracepointProvider, WildcardsAreGroupedByLayout) {
  const auto found = groups("tracepoint:sys*:sys_*");
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->at(0).targets.size(), 2u);
  EXPECT_EQ(found->at(1).targets.at(0).text, "tracepoint:syscalls:sys_exit_open");
  const auto without = groups("tracepoint:sys*:sys_*", false);
  ASSERT_EQ(without->size(), 1u);
  EXPECT_EQ(without->front().targets.at(0).text, "tracepoint:sys*:sys_*");
  EXPECT_EQ(specs("tracepoint:sys*:sys_*").size(), 3u);
}

TEST_F(TracepointProvider, Mistakes) {
  EXPECT_THAT(error("tracepoint:syscalls:sys_enter_opena"), HasSubstr("No matches for tracepoint:syscalls:sys_enter_opena | did you mean "
              "tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat"));
  EXPECT_EQ(error("tracepoint:syscal:sys_enter_opening"), "No matches for tracepoint:syscal:sys_enter_opening: there is no category 'syscal' | "
            "did you mean syscalls?");
  EXPECT_THAT(error("tracepoint:sched:sys_exit_open"), HasSubstr("No matches for tracepoint:sched:sys_exit_open"));
  EXPECT_THAT(error("tracepoint:fs:sys_exit_open"), HasSubstr("did you mean tracepoint:syscalls:sys_exit_open?"));
  EXPECT_THAT(error("tracepoint:sched:x*"), HasSubstr("No matches for tracepoint:sched:x*"));
  EXPECT_THAT(error("tracepoint:sched"), HasSubstr("tracepoint probe type requires 2 arguments, found 1"));
  EXPECT_THAT(error("tracepoint:../sched:empty"), HasSubstr("No matches"));
  facts_.events_folder = "";
  EXPECT_EQ(error("tracepoint:sched:empty"), "tracefs is not mounted | mount it");
}

TEST_F(TracepointProvider, Listing) {
  EXPECT_THAT(*list_probes("tracepoint:sched", facts_, {}), ElementsAre("tracepoint:sched:empty"));
  EXPECT_EQ(list_probes("tracepoint:*", facts_, {})->size(), 4u);
  facts_.raw_arguments = {{"vmlinux:sched_switch", 4}};
  EXPECT_THAT(*list_probes("*exit*", facts_, {}), ElementsAre("tracepoint:syscalls:sys_exit_open"));
  EXPECT_THAT(*list_probes("sched*", facts_, {}), ElementsAre("rawtracepoint:vmlinux:sched_switch"));
}

TEST_F(TracepointProvider, RawOnesByNumberOfArguments) {
  facts_.raw_arguments = {{"vmlinux:one", 2}, {"vmlinux:two", 2}, {"ext:three", 3}};
  const auto found = groups("rt:*");
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->at(0).targets.size(), 2u);
  EXPECT_EQ(found->at(0).context.positional.size(), 2u);
  EXPECT_EQ(std::get<lang::ContextSource>(found->at(1).context.positional.at(2).source).offset, 16u);
  EXPECT_THAT(specs("rawtracepoint:three"), ElementsAre("rawtracepoint:ext:three=three"));
  EXPECT_THAT(specs("rawtracepoint:vmlinux:*"), ElementsAre("rawtracepoint:vmlinux:one=one", "rawtracepoint:vmlinux:two=two"));
  EXPECT_THAT(error("rt:thre"), HasSubstr("did you mean three?"));
  EXPECT_THAT(error("rt:vmlinux:three"), HasSubstr("did you mean rawtracepoint:ext:three?"));
}

TEST_F(TracepointProvider, RawOnesWithoutBtfComeFromTracefs) {
  EXPECT_EQ(groups("rt:empty")->front().context.positional.size(), 12u);
  EXPECT_THAT(error("rt:sys_exit_open"), HasSubstr("No matches for rawtracepoint:sys_exit_open"));
}

}  // namespace
}  // namespace trc::probes
