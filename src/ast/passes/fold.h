// Arithmetic on literals, as the compiler does it. Results are literals again: the smallest signed type that holds them.
#pragma once

#include <optional>
#include <string>

#include "ast/nodes.h"
#include "ast/typed_program.h"

namespace trc::ast {

struct Literal {
  std::uint64_t bits = 0;
  bool is_negative = false;   ///< bits are those of a negative int64
};

struct Folded {
  std::optional<Literal> value;
  std::string problem;        ///< why there is no value; one sentence
};

/// The integer that a value always has, looking through casts; nothing when it is only known at run time.
std::optional<Literal> constant_value(const typed::Value& value);
/// Only of literals as written (and what was folded from them): casts are left for run time, so that they keep their type.
std::optional<Literal> literal_value(const typed::Value& value);
lang::Type type_of(const Literal& literal);
/// The constant (integer, bool or string) that a value always is, with all operators and conversions carried out; null when it is only known
/// at run time.
typed::ValuePtr evaluate(const typed::Value& value);

Folded fold_unary(UnaryOp op, Literal operand);
/// Arithmetic, bit operations and comparisons (0 or 1); not && and ||.
Folded fold_binary(BinaryOp op, Literal left, Literal right);

}  // namespace trc::ast
