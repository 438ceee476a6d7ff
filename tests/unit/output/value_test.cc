#include "output/value.h"

#include <gtest/gtest.h>

#include "unit/output/values.h"

namespace trc::output {
namespace {

TEST(ValueText, Scalars) {
  EXPECT_EQ(to_text(integer(42)), "42");
  EXPECT_EQ(to_text(integer(-3)), "-3");
  EXPECT_EQ(to_text(integer(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(to_text(unsigned_integer(UINT64_MAX)), "18446744073709551615");
  EXPECT_EQ(to_text(boolean(true)), "true");
  EXPECT_EQ(to_text(boolean(false)), "false");
  EXPECT_EQ(to_text(pointer(0x7f12ABCD)), "0x7f12abcd");
  EXPECT_EQ(to_text(pointer(0)), "0x0");
  EXPECT_EQ(to_text(Value{}), "null");
  EXPECT_EQ(to_text({lang::TypeKind::Void, {}}), "null");
}

TEST(ValueText, StringsAreRawAndMarkedWhenTheyFillTheirBuffer) {
  EXPECT_EQ(to_text(string("a\"b\\c\n")), "a\"b\\c\n");
  EXPECT_EQ(to_text(string("/etc/ld.", true)), "/etc/ld...");
  EXPECT_EQ(to_text(string("/etc/ld.", true), "[cut]"), "/etc/ld.[cut]");
  EXPECT_EQ(to_text(string("")), "");
}

TEST(ValueText, Buffers) {
  EXPECT_EQ(to_text(buffer(std::string("ab\x01\xff\0z\x7f", 7))), "ab\\x01\\xff\\x00z\\x7f");
}

TEST(ValueText, Composites) {
  EXPECT_EQ(to_text(tuple({integer(1), string("two"), tuple({integer(3), integer(4)})})), "(1, two, (3, 4))");
  EXPECT_EQ(to_text(tuple({integer(1)})), "(1)");
  EXPECT_EQ(to_text(array({integer(7), integer(8), integer(9)})), "[7,8,9]");
  EXPECT_EQ(to_text(array({array({integer(0), integer(0)}), array({integer(4), integer(0)})})), "[[0,0],[4,0]]");
  EXPECT_EQ(to_text(record({{"x", integer(1)}, {"name", string("bob")}})), "{ .x = 1, .name = bob }");
  EXPECT_EQ(to_text(record({})), "{}");
  EXPECT_EQ(to_text(record({{"", record({})}})), "{ . = {} }");
  EXPECT_EQ(to_text(tuple({integer(1), kernel_stack("\n        leaf+0\n")})), "(1, \n        leaf+0\n)");
  EXPECT_EQ(to_text(tuple({string("abc", true), integer(1)})), "(abc.., 1)");
}

TEST(ValueText, Stats) {
  EXPECT_EQ(to_text(stats(2, 6, 12)), "{ .count = 2, .average = 6, .total = 12 }");
  EXPECT_EQ(to_text(stats(1, -4, -4)), "{ .count = 1, .average = -4, .total = -4 }");
  const Value huge{lang::TypeKind::Stats, StatsValue{1, -1, -1, false}};
  EXPECT_EQ(to_text(huge), "{ .count = 1, .average = 18446744073709551615, .total = 18446744073709551615 }");
}

TEST(KeyText, LosesItsOutermostParentheses) {
  EXPECT_EQ(key_to_text(integer(3)), "3");
  EXPECT_EQ(key_to_text(tuple({integer(1), string("a")})), "1, a");
  EXPECT_EQ(key_to_text(tuple({tuple({integer(1), integer(2)}), integer(3)})), "(1, 2), 3");
  EXPECT_EQ(key_to_text(string("(z)")), "z");
  EXPECT_EQ(key_to_text(string("(")), "(");
  EXPECT_EQ(key_to_text(string("(a) b")), "(a) b");
  EXPECT_EQ(key_to_text(array({integer(7), integer(8)})), "[7,8]");
  EXPECT_EQ(key_to_text(record({{"a", integer(1)}})), "{ .a = 1 }");
}

}  // namespace
}  // namespace trc::output
