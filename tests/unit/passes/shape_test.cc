#include "ast/passes/shape.h"

#include <gtest/gtest.h>

#include "ast/build.h"

namespace trc::ast {
namespace {

using lang::make_integer;
using lang::Type;
using lang::type_name;

Shape literal(std::uint64_t value) { return shape_of(*typed::make_constant(literal_type(value), {}, value)); }

std::string joined(Shape a, const Shape& b) { return join(a, b) == Joined::Mismatch ? "mismatch" : type_name(settled(a)); }

TEST(Shape, IntegersWidenBySizeAndSign) {
  const Shape i8 = shape_of(make_integer(8, true)), i16 = shape_of(make_integer(16, true)), i32 = shape_of(make_integer(32, true));
  const Shape u8 = shape_of(make_integer(8, false)), u32 = shape_of(make_integer(32, false)), u64 = shape_of(make_integer(64, false));
  const Shape i64 = shape_of(make_integer(64, true));
  EXPECT_EQ(joined(i8, i16), "int16");
  EXPECT_EQ(joined(u8, i8), "int16");
  EXPECT_EQ(joined(u32, i32), "int64");
  EXPECT_EQ(joined(u64, i64), "int64");
  EXPECT_EQ(joined(i32, u8), "int32");
}

TEST(Shape, LiteralsTakeTheTypeOfOthersInAnyOrder) {
  const Shape u32 = shape_of(make_integer(32, false)), u8 = shape_of(make_integer(8, false));
  EXPECT_EQ(joined(literal(5), u32), "uint32");
  EXPECT_EQ(joined(u32, literal(5)), "uint32");
  EXPECT_EQ(joined(u8, literal(300)), "uint16");
  EXPECT_EQ(joined(literal(300), u8), "uint16");
  EXPECT_EQ(joined(literal(1), literal(300)), "int16");
  EXPECT_EQ(joined(literal(300), literal(1)), "int16");
}

TEST(Shape, JoiningIsCommutativeForIntegers) {
  std::vector<Shape> all{literal(0), literal(200), literal(1u << 20), literal(~std::uint64_t{0})};
  for (unsigned bits : {8u, 16u, 32u, 64u}) {
    for (bool is_signed : {false, true}) all.push_back(shape_of(make_integer(bits, is_signed)));
  }
  for (const Shape& a : all) {
    for (const Shape& b : all) EXPECT_EQ(joined(a, b), joined(b, a)) << type_name(a.type) << " " << type_name(b.type);
  }
}

TEST(Shape, JoiningTwiceChangesNothing) {
  Shape a = shape_of(make_integer(32, false));
  EXPECT_EQ(join(a, shape_of(make_integer(16, true))), Joined::Widened);
  EXPECT_EQ(join(a, shape_of(make_integer(16, true))), Joined::Same);
}

TEST(Shape, TuplesWidenElementByElement) {
  const Shape a = shape_of(lang::make_tuple({make_integer(8, true), lang::make_string(2)}));
  const Shape b = shape_of(lang::make_tuple({make_integer(32, true), lang::make_string(9)}));
  EXPECT_EQ(joined(a, b), "(int32,string[9])");
  EXPECT_EQ(joined(a, shape_of(lang::make_tuple({make_integer(8, true)}))), "mismatch");
}

TEST(Shape, RecordsJoinByName) {
  const Shape a = shape_of(lang::make_record({{.name = "x", .type = make_integer(8, true)}, {.name = "y", .type = lang::make_bool()}}));
  const Shape b = shape_of(lang::make_record({{.name = "y", .type = lang::make_bool()}, {.name = "x", .type = make_integer(32, true)}}));
  EXPECT_EQ(joined(a, b), "(x=int32,y=bool)");
  EXPECT_EQ(joined(a, shape_of(lang::make_record({{.name = "x", .type = make_integer(8, true)}, {.name = "z", .type = lang::make_bool()}}))), "mismatch");
}

TEST(Shape, AggregatesKeepTheirKindAndBuckets) {
  const Shape sum = shape_of(lang::make_aggregate(lang::TypeKind::Sum, false));
  EXPECT_EQ(joined(sum, shape_of(lang::make_aggregate(lang::TypeKind::Sum, true))), "sum_t");
  EXPECT_EQ(joined(sum, shape_of(lang::make_aggregate(lang::TypeKind::Count, false))), "mismatch");
  EXPECT_EQ(joined(shape_of(lang::make_histogram(0)), shape_of(lang::make_histogram(1))), "mismatch");
}

}  // namespace
}  // namespace trc::ast
