#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_facts.h"
#include "probes/provider.h"
#include "probes/usdt_arguments.h"
#include "symbols/elf_file.h"
#include "unit/build_program.h"

namespace trc::probes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using lang::UsdtSource;

std::string describe(const lang::ContextValue& value) {
  if (!value.why_unreadable.empty()) return "unreadable";
  const auto& s = std::get<UsdtSource>(value.source);
  std::string text = lang::type_name(value.type) + " ";
  switch (s.mode) {
    case UsdtSource::Mode::Constant: return text + "$" + std::to_string(s.constant_or_displacement);
    case UsdtSource::Mode::Register: return text + "%" + std::to_string(s.base_register);
    case UsdtSource::Mode::Memory: break;
    case UsdtSource::Mode::Address: return "an address";
  }
  text += std::to_string(s.constant_or_displacement) + "(" + std::to_string(s.base_register);
  if (s.index_register != 0xffff) text += "," + std::to_string(s.index_register) + "," + std::to_string(s.scale);
  return text + ")";
}

std::vector<std::string> describe(std::string_view text) {
  std::vector<std::string> out;
  for (const lang::ContextValue& value : parse_usdt_arguments(text)) out.push_back(describe(value));
  return out;
}

TEST(UsdtArguments, Operands) {
  EXPECT_THAT(describe("-4@%edi 8@%rsi 1@%al 2@%r15w"), ElementsAre("int32 %112", "uint64 %104", "uint8 %80", "uint16 %0"));
  EXPECT_THAT(describe("4@$7 -8@$-5 8@$0xff"), ElementsAre("uint32 $7", "int64 $-5", "uint64 $255"));
  EXPECT_THAT(describe("8@-8(%rbp) 8@(%rax) -1@16(%rsp,%rcx,4) 8@(%rax,%rbx)"),
              ElementsAre("uint64 -8(32)", "uint64 0(80)", "int8 16(152,88,4)", "uint64 0(80,40,1)"));
  EXPECT_THAT(describe("-4@%rdi %rdi"), ElementsAre("int32 %112", "uint64 %112"));
  EXPECT_TRUE(describe("").empty());
}

TEST(UsdtArguments, UnreadableOnesKeepTheirPlace) {
  EXPECT_THAT(describe("8f@%xmm0 4@%edi"), ElementsAre("unreadable", "uint32 %112"));
  EXPECT_EQ(parse_usdt_arguments("4@%edi 8f@%xmm0")[1].why_unreadable,
            "arg1 of this probe cannot be read: its operand is '8f@%xmm0', a floating-point number");
  for (const char* text : {"8@%xmm1", "16@%rax", "8@counter(%rip)", "8@8(%rip)", "4@%ah", "8@%eax", "8@(%rax,%rbx,3)", "8@", "@", "x@%rax", "8@$x",
                           "8@(%eax)", "8@(%rax,%rbx,2,%rcx)", "8@12"}) {
    EXPECT_EQ(describe(text), std::vector<std::string>{"unreadable"}) << text;
  }
}

/// A program with sites as <sys/sdt.h> leaves them, without needing that header.
std::string usdt_program(const std::vector<std::array<std::string, 3>>& sites) {
  std::string text = R"(
    __asm__(".section .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n.weak _.stapsdt.base\n.hidden _.stapsdt.base\n"
            "_.stapsdt.base: .space 1\n.previous\n.section .probes,\"aw\"\ntrc_semaphore: .short 0\n.previous\n");
    int work(long a, long b) {)";
  for (const auto& [provider, name, operands] : sites) {
    text += "__asm__ volatile(\"990: nop\\n.pushsection .note.stapsdt,\\\"\\\",\\\"note\\\"\\n.balign 4\\n.4byte 992f-991f, 994f-993f, 3\\n"
            "991: .asciz \\\"stapsdt\\\"\\n992: .balign 4\\n993: .8byte 990b\\n.8byte _.stapsdt.base\\n.8byte trc_semaphore\\n.asciz \\\"" +
            provider + "\\\"\\n.asciz \\\"" + name + "\\\"\\n.asciz \\\"" + operands + "\\\"\\n994: .balign 4\\n.popsection\\n\");\n";
  }
  return text + "return a + b; }\nint main(int c, char **v) { return work(c, 2); }\n";
}

class UsdtProvider : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = folder_.compile("prog", usdt_program({{"app", "start", "-4@%edi"}, {"app", "start", "-4@%edi"}, {"app", "start", "8@8(%rsp)"},
                                                  {"app", "stop", ""}, {"lib", "stop", "8@%rdi"}}));
  }
  Result<std::vector<ContextGroup>> groups(const std::string& text, bool needs_args = true, const Scope& scope = {}) {
    auto parsed = parse_attach_point(text, scope);
    if (!parsed) return std::move(parsed).error();
    return parsed->provider->contexts(parsed->target, facts_, scope, needs_args);
  }
  std::string error(const std::string& text) {
    auto result = groups(text);
    return result ? "no error" : result.error().message() + " | " + result.error().hint();
  }
  std::vector<UserSite> sites(const std::string& text) {
    auto parsed = parse_attach_point(text, {});
    auto expansion = parsed->provider->expand(parsed->target, facts_, {});
    if (!expansion || expansion->specs.size() != 1) return {};
    return std::get<UserProbes>(expansion->specs.front().how).sites;
  }
  TemporaryFolder folder_;
  FakeFacts facts_;
  std::string path_;
};

TEST_F(UsdtProvider, GroupsByOperandsAndExpandsThemApart) {
  const auto found = groups("usdt:" + path_ + ":app:start");
  ASSERT_TRUE(found.has_value()) << found.error().message();
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(describe(found->at(0).context.positional.at(0)), "int32 %112");
  EXPECT_EQ(describe(found->at(1).context.positional.at(0)), "uint64 8(152)");
  // The runner has nothing but the text.
  const auto first = sites(found->at(0).targets.at(0).text), second = sites(found->at(1).targets.at(0).text);
  ASSERT_EQ(first.size(), 2u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(first[0].name, "usdt:" + path_ + ":app:start");
  EXPECT_EQ(first[0].function, "work");
  EXPECT_NE(first[0].offset, first[1].offset);
  const auto elf = symbols::open_cached(path_);
  EXPECT_EQ(first[0].semaphore, *(*elf)->file_offset((*elf)->usdt().at(0).semaphore));
}

TEST_F(UsdtProvider, OneGroupWhenTheArgumentsAreNotUsed) {
  const auto found = groups("usdt:" + path_ + ":*", false);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().targets.at(0).text, "usdt:" + path_ + ":*");
  EXPECT_EQ(sites("usdt:" + path_ + ":*").size(), 5u);
  EXPECT_EQ(sites("U:" + path_ + ":lib:*").size(), 1u);
}

TEST_F(UsdtProvider, Mistakes) {
  EXPECT_EQ(error("usdt:" + path_ + ":stop"), "usdt:" + path_ + ":stop is ambiguous: the providers app, lib have such a probe | write "
            "usdt:FILE:PROVIDER:NAME");
  EXPECT_EQ(error("usdt:" + path_ + ":app:starl"), "No matches for usdt:" + path_ + ":app:starl: no such usdt probe in " + path_ +
            " | did you mean start?");
  EXPECT_THAT(error("usdt:" + path_ + ":app:start:8@%rax"), HasSubstr("lie elsewhere than in the file that the script was compiled for"));
  EXPECT_THAT(error("usdt:" + folder_.compile("plain", "int main(void) { return 0; }") + ":*"), HasSubstr("has no usdt probes"));
  EXPECT_THAT(error("usdt:" + path_), HasSubstr("usdt probe type requires 2 or 3 arguments, found 1"));
  EXPECT_THAT(error("usdt:*:app:start"), HasSubstr("usdt without a file looks through the mapped files of a process"));
}

TEST_F(UsdtProvider, ArgumentsOfAFileThatIsNotKnownYet) {
  Scope scope;
  scope.pid = ::getpid();
  scope.is_child = true;
  scope.command_path = "/usr/bin/env";
  EXPECT_TRUE(groups("usdt:trc-none:app:start", false, scope).has_value());
  const auto found = groups("usdt:trc-none:app:start", true, scope);
  ASSERT_FALSE(found.has_value());
  EXPECT_THAT(found.error().message(), HasSubstr("are not known before the command executes trc-none"));
}

TEST_F(UsdtProvider, Listing) {
  EXPECT_THAT(*list_probes("usdt:" + path_, facts_, {}), ElementsAre("usdt:" + path_ + ":app:start", "usdt:" + path_ + ":app:stop",
                                                                     "usdt:" + path_ + ":lib:stop"));
}

}  // namespace
}  // namespace trc::probes
