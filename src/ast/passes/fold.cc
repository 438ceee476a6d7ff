#include "ast/passes/fold.h"

#include <limits>

#include "ast/passes/shape.h"
#include "base/assert.h"

namespace trc::ast {
namespace {

__extension__ using Wide = __int128;

Wide widen(Literal literal) { return literal.is_negative ? Wide{static_cast<std::int64_t>(literal.bits)} : Wide{literal.bits}; }

Folded narrow(Wide value) {
  if (value > Wide{std::numeric_limits<std::uint64_t>::max()} || value < Wide{std::numeric_limits<std::int64_t>::min()}) {
    return {std::nullopt, "unable to fold literals due to overflow or underflow"};
  }
  return {Literal{static_cast<std::uint64_t>(value), value < 0}, {}};
}

Folded shift(BinaryOp op, Literal left, Literal right) {
  if (right.is_negative || right.bits > 63) return {std::nullopt, "a shift count must be between 0 and 63"};
  if (op == BinaryOp::ShiftRight) return narrow(widen(left) >> right.bits);
  const std::uint64_t bits = left.bits << right.bits;  // wraps at 64 bits, as at run time
  return {Literal{bits, left.is_negative && static_cast<std::int64_t>(bits) < 0}, {}};
}

Folded bitwise(BinaryOp op, Literal left, Literal right) {
  const bool is_signed = left.is_negative || right.is_negative;
  std::uint64_t bits = 0;
  if (op == BinaryOp::BitAnd) bits = left.bits & right.bits;
  if (op == BinaryOp::BitOr) bits = left.bits | right.bits;
  if (op == BinaryOp::BitXor) bits = left.bits ^ right.bits;
  return {Literal{bits, is_signed && static_cast<std::int64_t>(bits) < 0}, {}};
}

}  // namespace

std::optional<Literal> literal_value(const typed::Value& value) {
  const auto* constant = std::get_if<typed::Constant>(&value.op);
  if (!constant || !value.type.is_integer()) return std::nullopt;
  return Literal{constant->bits, value.type.is_signed && static_cast<std::int64_t>(constant->bits) < 0};
}

std::optional<Literal> constant_value(const typed::Value& value) {
  if (auto literal = literal_value(value)) return literal;
  if (const auto* constant = std::get_if<typed::Constant>(&value.op); constant && value.type.is(lang::TypeKind::Bool)) {
    return Literal{constant->bits};
  }
  const auto* convert = std::get_if<typed::Convert>(&value.op);
  if (!convert || !value.type.is_integer()) return std::nullopt;
  auto inner = constant_value(*convert->operand);
  if (!inner) return std::nullopt;
  const unsigned unused = 64 - value.type.size * 8;
  const std::uint64_t cut = inner->bits << unused;
  if (!value.type.is_signed) return Literal{cut >> unused};
  const std::int64_t extended = static_cast<std::int64_t>(cut) >> unused;
  return Literal{static_cast<std::uint64_t>(extended), extended < 0};
}

lang::Type type_of(const Literal& literal) {
  return literal.is_negative ? negative_literal_type(static_cast<std::int64_t>(literal.bits)) : literal_type(literal.bits);
}

Folded fold_unary(UnaryOp op, Literal operand) {
  switch (op) {
    case UnaryOp::Negate: return narrow(-widen(operand));
    case UnaryOp::BitNot: return {Literal{~operand.bits}, {}};
    case UnaryOp::Not:
    case UnaryOp::Dereference:
    case UnaryOp::AddressOf:
    case UnaryOp::PreIncrement:
    case UnaryOp::PreDecrement:
    case UnaryOp::PostIncrement:
    case UnaryOp::PostDecrement: break;
  }
  return {};
}

Folded fold_binary(BinaryOp op, Literal left, Literal right) {
  const Wide a = widen(left), b = widen(right);
  switch (op) {
    case BinaryOp::Add: return narrow(a + b);
    case BinaryOp::Subtract: return narrow(a - b);
    case BinaryOp::Multiply: {
      Wide product = 0;
      if (__builtin_mul_overflow(a, b, &product)) return {std::nullopt, "unable to fold literals due to overflow or underflow"};
      return narrow(product);
    }
    case BinaryOp::Divide: return b == 0 ? Folded{std::nullopt, "division by zero"} : narrow(a / b);
    case BinaryOp::Modulo: return b == 0 ? Folded{std::nullopt, "division by zero"} : narrow(a % b);
    case BinaryOp::ShiftLeft:
    case BinaryOp::ShiftRight: return shift(op, left, right);
    case BinaryOp::BitAnd:
    case BinaryOp::BitOr:
    case BinaryOp::BitXor: return bitwise(op, left, right);
    case BinaryOp::Equal: return {Literal{a == b}, {}};
    case BinaryOp::NotEqual: return {Literal{a != b}, {}};
    case BinaryOp::Less: return {Literal{a < b}, {}};
    case BinaryOp::LessEqual: return {Literal{a <= b}, {}};
    case BinaryOp::Greater: return {Literal{a > b}, {}};
    case BinaryOp::GreaterEqual: return {Literal{a >= b}, {}};
    case BinaryOp::LogicalAnd:
    case BinaryOp::LogicalOr: break;
  }
  TRC_UNREACHABLE("&& and || are not folded here");
}

}  // namespace trc::ast
