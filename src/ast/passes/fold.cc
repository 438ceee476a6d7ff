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

namespace {

using typed::ValuePtr;

/// 64 bits as a value of the type holds them.
std::uint64_t cut(std::uint64_t bits, const lang::Type& type) {
  if (type.is(lang::TypeKind::Bool)) return bits != 0;
  const unsigned unused = 64 - type.size * 8;
  if (!type.is_signed) return bits << unused >> unused;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(bits << unused) >> unused);
}

bool is_number(const lang::Type& type) { return type.is_integer() || type.is(lang::TypeKind::Bool); }

std::optional<std::uint64_t> number_in(const typed::Value& value) {
  const ValuePtr constant = evaluate(value);
  const auto* number = constant ? std::get_if<typed::Constant>(&constant->op) : nullptr;
  return number && is_number(value.type) ? std::optional(number->bits) : std::nullopt;
}

/// Up to its NUL.
std::optional<std::string> text_in(const typed::Value& value) {
  const ValuePtr constant = evaluate(value);
  const auto* text = constant ? std::get_if<typed::StringConstant>(&constant->op) : nullptr;
  return text ? std::optional(text->bytes.substr(0, text->bytes.find('\0'))) : std::nullopt;
}

std::optional<std::uint64_t> compute(const typed::Unary& op) {
  const auto operand = number_in(*op.operand);
  if (!operand) return std::nullopt;
  switch (op.op) {
    case typed::UnaryOp::Not: return *operand == 0;
    case typed::UnaryOp::BitNot: return ~*operand;
    case typed::UnaryOp::Negate: return -*operand;
    case typed::UnaryOp::ByteSwap: break;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> compute(const typed::Binary& op) {
  const auto left = number_in(*op.left), right = number_in(*op.right);
  if (!left || !right) return std::nullopt;
  const std::uint64_t a = *left, b = *right;
  const auto signed_a = static_cast<std::int64_t>(a), signed_b = static_cast<std::int64_t>(b);
  const bool overflows = signed_b == -1 && signed_a == std::numeric_limits<std::int64_t>::min();
  using Op = typed::BinaryOp;
  switch (op.op) {
    case Op::Add: return a + b;
    case Op::Subtract: return a - b;
    case Op::Multiply: return a * b;
    case Op::DivideUnsigned: return b == 0 ? std::nullopt : std::optional(a / b);
    case Op::ModuloUnsigned: return b == 0 ? std::nullopt : std::optional(a % b);
    case Op::DivideSigned: return b == 0 || overflows ? std::nullopt : std::optional(static_cast<std::uint64_t>(signed_a / signed_b));
    case Op::ModuloSigned: return b == 0 || overflows ? std::nullopt : std::optional(static_cast<std::uint64_t>(signed_a % signed_b));
    case Op::And: return a & b;
    case Op::Or: return a | b;
    case Op::Xor: return a ^ b;
    case Op::ShiftLeft: return a << (b & 63);
    case Op::ShiftRightLogical: return a >> (b & 63);
    case Op::ShiftRightArithmetic: return static_cast<std::uint64_t>(signed_a >> (b & 63));
    case Op::Equal: return a == b;
    case Op::NotEqual: return a != b;
    case Op::LessUnsigned: return a < b;
    case Op::LessSigned: return signed_a < signed_b;
    case Op::LessEqualUnsigned: return a <= b;
    case Op::LessEqualSigned: return signed_a <= signed_b;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> compute(const typed::Logical& op) {
  const auto left = number_in(*op.left);
  if (!left) return std::nullopt;
  if ((*left != 0) != op.is_and) return *left != 0;
  const auto right = number_in(*op.right);
  return right ? std::optional<std::uint64_t>(*right != 0) : std::nullopt;
}

std::optional<std::uint64_t> compute(const typed::CompareStrings& op) {
  const auto left = text_in(*op.left), right = text_in(*op.right);
  if (!left || !right) return std::nullopt;
  const std::size_t limit = op.limit == 0 ? std::string::npos : op.limit;
  return (left->substr(0, limit) == right->substr(0, limit)) != op.negate;
}

std::optional<std::uint64_t> compute(const typed::StringLength& op) {
  const auto text = text_in(*op.string);
  return text ? std::optional<std::uint64_t>(text->size()) : std::nullopt;
}

ValuePtr choose(const typed::Select& op) {
  const auto condition = number_in(*op.condition);
  if (!condition) return nullptr;
  if (*condition == 0) return evaluate(*op.otherwise);
  return evaluate(op.then ? *op.then : *op.condition);
}

ValuePtr convert(const typed::Convert& op, const lang::Type& type) {
  ValuePtr inner = evaluate(*op.operand);
  if (!inner || inner->type.is_string() != type.is_string() || (!type.is_string() && !is_number(type))) return nullptr;
  if (auto* number = std::get_if<typed::Constant>(&inner->op)) number->bits = cut(number->bits, type);
  inner->type = type;
  return inner;
}

}  // namespace

ValuePtr evaluate(const typed::Value& value) {
  auto same = [&](auto op) { return std::make_unique<typed::Value>(typed::Value{value.type, value.span, std::move(op)}); };
  auto number = [&](std::optional<std::uint64_t> bits) { return bits && is_number(value.type) ? same(typed::Constant{cut(*bits, value.type)}) : nullptr; };
  if (const auto* op = std::get_if<typed::Constant>(&value.op)) return is_number(value.type) ? same(*op) : nullptr;
  if (const auto* op = std::get_if<typed::StringConstant>(&value.op)) return same(*op);
  if (const auto* op = std::get_if<typed::Convert>(&value.op)) return convert(*op, value.type);
  if (const auto* op = std::get_if<typed::Unary>(&value.op)) return number(compute(*op));
  if (const auto* op = std::get_if<typed::Binary>(&value.op)) return number(compute(*op));
  if (const auto* op = std::get_if<typed::Logical>(&value.op)) return number(compute(*op));
  if (const auto* op = std::get_if<typed::CompareStrings>(&value.op)) return number(compute(*op));
  if (const auto* op = std::get_if<typed::StringLength>(&value.op)) return number(compute(*op));
  if (const auto* op = std::get_if<typed::Select>(&value.op)) return choose(*op);
  if (const auto* op = std::get_if<typed::Member>(&value.op)) {
    const auto* whole = std::get_if<typed::MakeTuple>(&op->base->op);
    return whole ? evaluate(*whole->elements[op->field]) : nullptr;
  }
  return nullptr;
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
