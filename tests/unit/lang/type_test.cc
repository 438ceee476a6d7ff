#include "lang/type.h"

#include <gtest/gtest.h>

namespace trc::lang {
namespace {

TEST(Type, TuplesHaveCLayout) {
  const Type tuple = make_tuple({make_integer(8, true), make_integer(64, false), make_string(3)});
  ASSERT_EQ(tuple.fields.size(), 3u);
  EXPECT_EQ(tuple.fields[0].offset, 0u);
  EXPECT_EQ(tuple.fields[1].offset, 8u);
  EXPECT_EQ(tuple.fields[2].offset, 16u);
  EXPECT_EQ(tuple.align, 8u);
  EXPECT_EQ(tuple.size, 24u);
}

TEST(Type, RecordOffsetsAreComputed) {
  const Type record = make_record({{.name = "a", .type = make_bool()}, {.name = "b", .type = make_integer(32, true)}});
  EXPECT_EQ(record.fields[1].offset, 4u);
  EXPECT_EQ(record.size, 8u);
}

TEST(Type, Names) {
  EXPECT_EQ(type_name(make_int64()), "int64");
  EXPECT_EQ(type_name(make_integer(8, false)), "uint8");
  EXPECT_EQ(type_name(make_string(16)), "string[16]");
  EXPECT_EQ(type_name(make_buffer(8)), "buffer[8]");
  EXPECT_EQ(type_name(make_tuple({make_int64(), make_string(4)})), "(int64,string[4])");
  EXPECT_EQ(type_name(make_pointer(make_integer(32, true), AddressSpace::User)), "int32 *");
  EXPECT_EQ(type_name(make_array(make_integer(32, true), 4)), "int32[4]");
  EXPECT_EQ(type_name(make_aggregate(TypeKind::Count, false)), "count_t");
  EXPECT_EQ(type_name(make_aggregate(TypeKind::Sum, false)), "usum_t");
  EXPECT_EQ(type_name(make_aggregate(TypeKind::Max, true)), "max_t");
}

TEST(Type, Sizes) {
  EXPECT_EQ(make_stack(false, 127, "").size, 24u);
  EXPECT_EQ(make_stack(true, 127, "").size, 24u);
  EXPECT_EQ(make_symbol(true).size, 16u);
  EXPECT_EQ(make_buffer(5).size, 9u);
  EXPECT_EQ(make_histogram(0).size, 65u * 8);
  EXPECT_EQ(make_linear_histogram(0, 10, 3).size, 6u * 8);
}

TEST(Type, Equality) {
  EXPECT_EQ(make_tuple({make_int64()}), make_tuple({make_int64()}));
  EXPECT_NE(make_tuple({make_int64()}), make_tuple({make_uint64()}));
  EXPECT_NE(make_stack(true, 3, ""), make_stack(true, 4, ""));
}

}  // namespace
}  // namespace trc::lang
