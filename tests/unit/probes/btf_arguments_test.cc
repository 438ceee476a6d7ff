#include "probes/btf_arguments.h"

#include <gtest/gtest.h>

#include "unit/types/type_facts.h"

namespace trc::probes {
namespace {

/// Behind task_btf(): struct task *look(struct task *t, int n, struct pair p, …), the probe of an event, and an event without named parameters.
types::TypeFacts machine() {
  BtfBuilder builder = types::task_btf();
  builder.prototype(6, {{"t", 6}, {"n", 1}, {"p", 13}, {"", 6}})                // 20
      .type("look", BTF_KIND_FUNC, 0, 20, 0)                                    // 21
      .prototype(0, {{"__data", 6}, {"paint", 10}, {"yes", 24}})                // 22
      .type("__bpf_trace_event", BTF_KIND_FUNC, 0, 22, 0)                       // 23
      .integer("_Bool", 1, BTF_INT_BOOL)                                        // 24
      .prototype(0, {{"", 6}, {"", 1}})                                         // 25
      .type("", BTF_KIND_PTR, 0, 25, 0)                                         // 26
      .type("btf_trace_plain", BTF_KIND_TYPEDEF, 0, 26, 0);                     // 27
  return types::TypeFacts(builder.bytes());
}

TEST(BtfArguments, OfAFunction) {
  const types::TypeFacts facts = machine();
  const auto found = kernel_function_types(facts, "", "look");
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->arguments.size(), 4u);
  EXPECT_EQ(found->arguments[0].name, "t");
  EXPECT_EQ(lang::type_name(found->arguments[0].type), "struct task *");
  EXPECT_EQ(found->arguments[0].type.space, lang::AddressSpace::Kernel);
  EXPECT_EQ(std::get<lang::ContextSource>(found->arguments[1].source).offset, 8u);
  EXPECT_EQ(found->arguments[1].type, lang::make_integer(32, true));
  EXPECT_NE(found->arguments[2].why_unreadable, "");   // a structure by value
  EXPECT_EQ(found->arguments[3].name, "arg3");
  EXPECT_EQ(lang::type_name(found->result), "struct task *");
  EXPECT_FALSE(kernel_function_types(facts, "", "nothing").has_value());
  EXPECT_FALSE(kernel_function_types(facts, "other", "look").has_value());
  EXPECT_TRUE(kernel_function_types(facts, "vmlinux", "look").has_value());
}

TEST(BtfArguments, OfARawTracepoint) {
  const types::TypeFacts facts = machine();
  const auto named = raw_tracepoint_types(facts, "*", "event");
  ASSERT_TRUE(named.has_value());
  ASSERT_EQ(named->size(), 2u);   // without the probe's own data
  EXPECT_EQ((*named)[0].name, "paint");
  EXPECT_TRUE((*named)[0].type.is_enumeration());
  EXPECT_TRUE((*named)[1].type.is(lang::TypeKind::Bool));
  EXPECT_EQ(std::get<lang::ContextSource>((*named)[1].source).offset, 8u);
  const auto plain = raw_tracepoint_types(facts, "*", "plain");
  ASSERT_TRUE(plain.has_value());
  ASSERT_EQ(plain->size(), 1u);
  EXPECT_EQ((*plain)[0].name, "arg0");
  EXPECT_FALSE(raw_tracepoint_types(facts, "*", "none").has_value());
}

}  // namespace
}  // namespace trc::probes
