#include "ast/passes/fold.h"

#include <gtest/gtest.h>

#include <limits>

#include "ast/build.h"

namespace trc::ast {
namespace {

Literal number(std::int64_t value) { return {static_cast<std::uint64_t>(value), value < 0}; }

std::int64_t folded(BinaryOp op, std::int64_t a, std::int64_t b) {
  const Folded result = fold_binary(op, number(a), number(b));
  EXPECT_TRUE(result.value) << result.problem;
  return result.value ? static_cast<std::int64_t>(result.value->bits) : 0;
}

TEST(Fold, SignedLikeC) {
  EXPECT_EQ(folded(BinaryOp::Divide, -10, 3), -3);
  EXPECT_EQ(folded(BinaryOp::Modulo, -10, 3), -1);
  EXPECT_EQ(folded(BinaryOp::ShiftRight, -8, 1), -4);
  EXPECT_EQ(folded(BinaryOp::ShiftLeft, 1, 40), std::int64_t{1} << 40);
  EXPECT_EQ(folded(BinaryOp::BitAnd, 12, 10), 8);
  EXPECT_EQ(folded(BinaryOp::Less, -1, 1), 1);
}

TEST(Fold, WhatHasNoValueSaysWhy) {
  EXPECT_EQ(fold_binary(BinaryOp::Divide, number(1), number(0)).problem, "division by zero");
  const Literal largest{std::numeric_limits<std::uint64_t>::max()};
  EXPECT_FALSE(fold_binary(BinaryOp::Add, largest, number(1)).value);
  EXPECT_FALSE(fold_binary(BinaryOp::Multiply, largest, largest).value);
  EXPECT_FALSE(fold_binary(BinaryOp::Subtract, number(std::numeric_limits<std::int64_t>::min()), number(1)).value);
  EXPECT_FALSE(fold_unary(UnaryOp::Negate, largest).value);
  EXPECT_TRUE(fold_unary(UnaryOp::Negate, {std::uint64_t{1} << 63}).value);
}

TEST(Fold, TypesAreTheSmallestSignedOnes) {
  EXPECT_EQ(lang::type_name(type_of(number(127))), "int8");
  EXPECT_EQ(lang::type_name(type_of(number(128))), "int16");
  EXPECT_EQ(lang::type_name(type_of(number(-128))), "int8");
  EXPECT_EQ(lang::type_name(type_of(number(-129))), "int16");
  EXPECT_EQ(lang::type_name(type_of(Literal{std::numeric_limits<std::uint64_t>::max()})), "uint64");
}

TEST(Fold, ConstantsAreSeenThroughCasts) {
  auto cast = [](std::uint64_t value, lang::Type to) {
    return typed::make(std::move(to), {}, typed::Convert{typed::make_constant(lang::make_int64(), {}, value)});
  };
  EXPECT_EQ(constant_value(*cast(300, lang::make_integer(8, false)))->bits, 44u);
  EXPECT_EQ(static_cast<std::int64_t>(constant_value(*cast(0xff, lang::make_integer(8, true)))->bits), -1);
  EXPECT_FALSE(literal_value(*cast(300, lang::make_integer(8, false))));
}

}  // namespace
}  // namespace trc::ast
