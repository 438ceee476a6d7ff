// Operators: folding of literals, widths and signs (language.md §7, §9).
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/fold.h"
#include "ast/passes/lower.h"
#include "ast/spelling.h"
#include "base/assert.h"

namespace trc::ast {

using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

namespace {

bool is_comparison(BinaryOp op) {
  return op == BinaryOp::Equal || op == BinaryOp::NotEqual || op == BinaryOp::Less || op == BinaryOp::LessEqual || op == BinaryOp::Greater ||
         op == BinaryOp::GreaterEqual;
}

bool is_equality(BinaryOp op) { return op == BinaryOp::Equal || op == BinaryOp::NotEqual; }

struct Operation {
  typed::BinaryOp op;
  bool negate = false;   // "greater" is "not less or equal": the operands keep their order of evaluation
};

Operation operation(BinaryOp op, bool is_unsigned) {
  using Op = typed::BinaryOp;
  const Op less = is_unsigned ? Op::LessUnsigned : Op::LessSigned;
  const Op less_equal = is_unsigned ? Op::LessEqualUnsigned : Op::LessEqualSigned;
  switch (op) {
    case BinaryOp::BitOr: return {Op::Or};
    case BinaryOp::BitXor: return {Op::Xor};
    case BinaryOp::BitAnd: return {Op::And};
    case BinaryOp::Equal: return {Op::Equal};
    case BinaryOp::NotEqual: return {Op::NotEqual};
    case BinaryOp::Less: return {less};
    case BinaryOp::LessEqual: return {less_equal};
    case BinaryOp::Greater: return {less_equal, true};
    case BinaryOp::GreaterEqual: return {less, true};
    case BinaryOp::ShiftLeft: return {Op::ShiftLeft};
    case BinaryOp::ShiftRight: return {is_unsigned ? Op::ShiftRightLogical : Op::ShiftRightArithmetic};
    case BinaryOp::Add: return {Op::Add};
    case BinaryOp::Subtract: return {Op::Subtract};
    case BinaryOp::Multiply: return {Op::Multiply};
    case BinaryOp::Divide: return {is_unsigned ? Op::DivideUnsigned : Op::DivideSigned};
    case BinaryOp::Modulo: return {is_unsigned ? Op::ModuloUnsigned : Op::ModuloSigned};
    case BinaryOp::LogicalAnd:
    case BinaryOp::LogicalOr: break;
  }
  TRC_UNREACHABLE("&& and || are typed::Logical");
}

ValuePtr apply(Operation operation, Type type, Span span, ValuePtr left, ValuePtr right) {
  ValuePtr value = typed::make_binary(operation.op, std::move(type), span, std::move(left), std::move(right));
  if (!operation.negate) return value;
  return typed::make(lang::make_bool(), span, typed::Unary{typed::UnaryOp::Not, std::move(value)});
}

ValuePtr to_uint64(ValuePtr value) { return convert_to(std::move(value), lang::make_uint64()); }

bool is_number(const Type& type) { return type.is_integer() || type.is(TypeKind::Bool); }
bool is_unsigned_integer(const Type& type) { return type.is_integer() && !type.is_signed; }

/// A bool counts as 0 or 1 in arithmetic, of the sign that the other operand has.
ValuePtr bool_as_integer(ValuePtr value, bool is_unsigned) {
  if (!value->type.is(TypeKind::Bool)) return value;
  if (const auto* constant = std::get_if<typed::Constant>(&value->op)) return typed::make_constant(literal_type(constant->bits), value->span, constant->bits);
  return convert_to(std::move(value), lang::make_integer(64, !is_unsigned));
}

ValuePtr bool_constant(bool value, Span span) { return typed::make_constant(lang::make_bool(), span, value); }

}  // namespace

ValuePtr BodyLowering::lower(const Binary& n) {
  if (n.op == BinaryOp::LogicalAnd || n.op == BinaryOp::LogicalOr) {
    ValuePtr left = condition(n.left), right = condition(n.right);
    if (!is_known(left) || !is_known(right)) return unknown(n.span);
    return typed::make(lang::make_bool(), n.span, typed::Logical{n.op == BinaryOp::LogicalAnd, std::move(left), std::move(right)});
  }
  ValuePtr left = operand(n.left);
  ValuePtr right = operand(n.right);
  return binary(n.op, std::move(left), std::move(right), n.span, n.op_span);
}

ValuePtr BodyLowering::binary(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span) {
  if (!is_known(left) || !is_known(right)) return unknown(span);
  const bool both_bool = left->type.is(TypeKind::Bool) && right->type.is(TypeKind::Bool);
  if (!both_bool || !is_equality(op)) {
    const bool is_unsigned = is_unsigned_integer(left->type) || is_unsigned_integer(right->type);
    if (is_number(left->type) && is_number(right->type)) {
      left = bool_as_integer(std::move(left), is_unsigned);
      right = bool_as_integer(std::move(right), is_unsigned);
    }
  }
  const Type& a = left->type;
  const Type& b = right->type;
  if (a.is_integer() && b.is_integer()) return integers(op, std::move(left), std::move(right), span, op_span);
  if (a.is(TypeKind::ProbeName) || b.is(TypeKind::ProbeName)) return probe_names(op, std::move(left), std::move(right), span, op_span);
  if (a.is_string()) return strings(op, std::move(left), std::move(right), span, op_span);
  if (a.is(TypeKind::Pointer) || b.is(TypeKind::Pointer)) return pointers(op, std::move(left), std::move(right), span, op_span);
  return wholes(op, std::move(left), std::move(right), span, op_span);
}

ValuePtr BodyLowering::invalid_operands(BinaryOp op, const ValuePtr& left, const ValuePtr& right, Span op_span) {
  report(Diag::InvalidOperand, op_span, fmt::format("The {} operator can not be used on expressions of types '{}' and '{}'", spelling(op),
                                                    lang::type_name(left->type), lang::type_name(right->type)));
  return unknown(op_span);
}

void BodyLowering::warn_sign(const typed::Value& value, std::string_view where, Span span) {
  if (!value.type.is_integer() || value.type.is_signed || value.type.size != 8 || constant_value(value)) return;
  report(Diag::SignConversion, span,
         fmt::format("Expression of type: uint64 being cast to type: int64{}. This may cause unexpected results. Use an explicit cast to "
                     "suppress this warning.",
                     where));
}

/// A literal, or what only literals have been assigned to: it takes the sign of the other operand. So `@sum += arg2` is unsigned even
/// though @sum starts out as 0.
bool BodyLowering::is_never_negative(const typed::Value& value) const {
  if (const auto* slot = std::get_if<typed::LoadSlot>(&value.op)) {
    return slot->slot < variables_.size() && variables_[slot->slot].is_literal;
  }
  if (const auto* get = std::get_if<typed::MapGet>(&value.op)) {
    const Shape& shape = shared_.maps[get->map].value;
    return shape.is_literal || !shape.is_known();
  }
  return is_flexible(value);
}

ValuePtr BodyLowering::integers(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span) {
  const auto left_literal = literal_value(*left), right_literal = literal_value(*right);
  const bool divides = op == BinaryOp::Divide || op == BinaryOp::Modulo;
  if (divides && right_literal && right_literal->bits == 0) {
    report(Diag::InvalidOperand, right->span, "division by zero");
    return unknown(span);
  }
  if (left_literal && right_literal) {
    const Folded folded = fold_binary(op, *left_literal, *right_literal);
    if (!folded.value) {
      report(Diag::InvalidOperand, span, folded.problem);
      return unknown(span);
    }
    const Type type = is_comparison(op) ? lang::make_bool() : type_of(*folded.value);
    return typed::make_constant(type, span, folded.value->bits);
  }
  if (op == BinaryOp::ShiftLeft || op == BinaryOp::ShiftRight) return shift(op, std::move(left), std::move(right), span);

  bool left_unsigned = !left->type.is_signed, right_unsigned = !right->type.is_signed;
  if (left_unsigned && is_never_negative(*right)) right_unsigned = true;
  if (right_unsigned && is_never_negative(*left)) left_unsigned = true;
  const bool is_unsigned = left_unsigned && right_unsigned;
  if (!is_unsigned) {
    const std::string where = fmt::format(" (operand of {})", spelling(op));
    warn_sign(*left, where, left->span);
    warn_sign(*right, where, right->span);
  }
  const lang::AddressSpace space = left->type.space != lang::AddressSpace::None ? left->type.space : right->type.space;
  left = convert_to(widen_to_64(std::move(left)), lang::make_integer(64, !is_unsigned));
  right = convert_to(widen_to_64(std::move(right)), lang::make_integer(64, !is_unsigned));
  Type type = lang::make_integer(64, !is_unsigned || op == BinaryOp::Subtract);
  if (op == BinaryOp::Add || op == BinaryOp::Subtract) type.space = space;   // kaddr("x") + 8 is an address too
  if (is_comparison(op)) type = lang::make_bool();
  (void)op_span;
  return apply(operation(op, is_unsigned), std::move(type), span, std::move(left), std::move(right));
}

/// The left operand decides the sign; the count is taken modulo 64.
ValuePtr BodyLowering::shift(BinaryOp op, ValuePtr left, ValuePtr right, Span span) {
  const bool is_unsigned = !left->type.is_signed;
  left = widen_to_64(std::move(left));
  right = to_uint64(widen_to_64(std::move(right)));
  const Span count = right->span;
  if (auto constant = literal_value(*right)) {
    right = typed::make_constant(lang::make_uint64(), count, constant->bits & 63);
  } else {
    right = typed::make_binary(typed::BinaryOp::And, lang::make_uint64(), count, std::move(right),
                               typed::make_constant(lang::make_uint64(), count, 63));
  }
  return apply(operation(op, is_unsigned), lang::make_integer(64, !is_unsigned), span, std::move(left), std::move(right));
}

ValuePtr BodyLowering::strings(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span) {
  const auto* a = std::get_if<typed::StringConstant>(&left->op);
  const auto* b = std::get_if<typed::StringConstant>(&right->op);
  if (a && op == BinaryOp::Add) {
    std::optional<std::string> text;
    if (b) text = a->bytes + b->bytes;
    if (auto skip = literal_value(*right)) text = a->bytes.substr(std::min<std::size_t>(skip->bits, a->bytes.size()));
    if (text) return typed::make(lang::make_string(static_cast<std::uint32_t>(text->size()) + 1), span, typed::StringConstant{*text});
  }
  if (!right->type.is_string() || !is_comparison(op)) return invalid_operands(op, left, right, op_span);
  if (a && b) {
    const int order = a->bytes.compare(b->bytes);
    return bool_constant(fold_binary(op, {static_cast<std::uint64_t>(order), order < 0}, {}).value->bits != 0, span);
  }
  if (!is_equality(op)) return invalid_operands(op, left, right, op_span);
  return typed::make(lang::make_bool(), span, typed::CompareStrings{std::move(left), std::move(right), op == BinaryOp::NotEqual, 0});
}

ValuePtr BodyLowering::pointers(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span) {
  const bool left_is = left->type.is(TypeKind::Pointer), right_is = right->type.is(TypeKind::Pointer);
  if (op == BinaryOp::Add && left_is && right->type.is_integer()) return pointer_offset(std::move(left), std::move(right), false, span);
  if (op == BinaryOp::Subtract && left_is && right->type.is_integer()) return pointer_offset(std::move(left), std::move(right), true, span);
  if (op == BinaryOp::Add && right_is && left->type.is_integer()) return pointer_offset(std::move(right), std::move(left), false, span);
  const bool comparable = (left_is || left->type.is_integer()) && (right_is || right->type.is_integer());
  if (!is_comparison(op) || !comparable) return invalid_operands(op, left, right, op_span);
  if (left_is && right_is && left->type.element() != right->type.element()) {
    report(Diag::SignConversion, op_span,
           fmt::format("comparison of distinct pointer types: {} and {}", lang::type_name(left->type), lang::type_name(right->type)));
  }
  auto as_number = [](ValuePtr value) { return to_uint64(value->type.is_integer() ? widen_to_64(std::move(value)) : std::move(value)); };
  return apply(operation(op, true), lang::make_bool(), span, as_number(std::move(left)), as_number(std::move(right)));
}

ValuePtr BodyLowering::pointer_offset(ValuePtr pointer, ValuePtr count, bool minus, Span span) {
  const Type type = pointer->type;
  const Type pointee = shared_.input.types.resolved(type.element());
  if (pointee.is(TypeKind::Struct) && pointee.size == 0) {
    report(Diag::InvalidOperand, span, fmt::format("the size of '{}' is not known here", lang::type_name(pointee)));
    return unknown(span);
  }
  const std::uint64_t size = std::max<std::uint32_t>(pointee.size, 1);
  count = convert_to(widen_to_64(std::move(count)), lang::make_int64());
  if (auto literal = literal_value(*count)) {
    count = typed::make_constant(lang::make_int64(), span, literal->bits * size);
  } else if (size > 1) {
    count = typed::make_binary(typed::BinaryOp::Multiply, lang::make_int64(), span, std::move(count),
                               typed::make_constant(lang::make_int64(), span, size));
  }
  return typed::make_binary(minus ? typed::BinaryOp::Subtract : typed::BinaryOp::Add, type, span, std::move(pointer), std::move(count));
}

/// Bools, tuples, records, arrays, buffers: equal or not, as a whole.
ValuePtr BodyLowering::wholes(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span) {
  if (!is_equality(op) || left->type.kind != right->type.kind) return invalid_operands(op, left, right, op_span);
  if (left->type.is(TypeKind::Bool)) return apply(operation(op, true), lang::make_bool(), span, std::move(left), std::move(right));
  Shape shape = shape_of(*left);
  const bool joined = join(shape, shape_of(*right)) != Joined::Mismatch;
  const Type type = settled(shape);
  if (!joined || !converts_implicitly(*left, type) || !converts_implicitly(*right, type)) return invalid_operands(op, left, right, op_span);
  left = convert_to(std::move(left), type);
  right = convert_to(std::move(right), type);
  return typed::make(lang::make_bool(), span, typed::CompareMemory{std::move(left), std::move(right), op == BinaryOp::NotEqual});
}

/// `probe` is a number until it is printed, so a comparison with a text is decided here, or by the runner when it attaches a pattern.
ValuePtr BodyLowering::probe_names(BinaryOp op, ValuePtr left, ValuePtr right, Span span, Span op_span) {
  const ValuePtr& other = left->type.is(TypeKind::ProbeName) ? right : left;
  if (!is_equality(op) || !(other->type.is_string() || other->type.is(TypeKind::ProbeName))) return invalid_operands(op, left, right, op_span);
  const auto* text = std::get_if<typed::StringConstant>(&other->op);
  const ValuePtr& probe = left->type.is(TypeKind::ProbeName) ? left : right;
  const bool wanted = op == BinaryOp::Equal;
  const bool is_one = plan_.is_exact && plan_.specs.size() == 1;
  if (!text || (!is_one && !std::holds_alternative<typed::ProbeId>(probe->op))) {
    report(Diag::InvalidOperand, span, "probe is compared with a literal, in a block of several places only probe itself").with_hint("compare it where the probe fires, and keep the outcome");
    return unknown(span);
  }
  if (is_one) return bool_constant((plan_.specs.front().text == text->bytes) == wanted, span);
  auto number = std::ranges::find(compared_, text->bytes);
  if (number == compared_.end()) {
    if (compared_.size() == typed::kMostCompared) {
      report(Diag::LimitExceeded, span, fmt::format("probe is compared with more than {} names in one block", typed::kMostCompared)).with_hint("write several blocks");
      return unknown(span);
    }
    number = compared_.insert(compared_.end(), text->bytes);
  }
  ValuePtr is = typed::make(lang::make_bool(), span, typed::ProbeIs{static_cast<std::uint32_t>(number - compared_.begin())});
  return wanted ? std::move(is) : typed::make(lang::make_bool(), span, typed::Unary{typed::UnaryOp::Not, std::move(is)});
}

/// The parser lets through variables and whole maps.
ValuePtr BodyLowering::address_of(const Unary& n) {
  if (const auto* map = std::get_if<MapRef*>(&n.operand)) {
    const typed::MapId id = map_index(**map);
    if (id == kNone) return unknown(n.span);
    return typed::make(lang::make_pointer(lang::make_void(), lang::AddressSpace::Bpf), n.span, typed::MapAddress{id});
  }
  ValuePtr variable = raw(n.operand);
  if (!is_known(variable)) return unknown(n.span);
  return typed::make(lang::make_pointer(variable->type, lang::AddressSpace::Bpf), n.span, typed::SlotAddress{std::get<typed::LoadSlot>(variable->op).slot});
}

ValuePtr BodyLowering::lower(const Unary& n) {
  switch (n.op) {
    case UnaryOp::PreIncrement:
    case UnaryOp::PreDecrement:
    case UnaryOp::PostIncrement:
    case UnaryOp::PostDecrement: return increment(n);
    case UnaryOp::AddressOf: return address_of(n);
    case UnaryOp::Dereference: return dereference(pointed(n.operand), n.span);
    case UnaryOp::Not: {
      ValuePtr value = condition(n.operand);
      if (!is_known(value)) return unknown(n.span);
      if (const auto* constant = std::get_if<typed::Constant>(&value->op)) return bool_constant(constant->bits == 0, n.span);
      return typed::make(lang::make_bool(), n.span, typed::Unary{typed::UnaryOp::Not, std::move(value)});
    }
    case UnaryOp::BitNot:
    case UnaryOp::Negate: break;
  }
  ValuePtr value = operand(n.operand);
  if (!is_known(value)) return unknown(n.span);
  if (!value->type.is_integer()) {
    report(Diag::InvalidOperand, n.span, fmt::format("The {} operator can not be used on expressions of type '{}'",
                                                     n.op == UnaryOp::Negate ? "-" : "~", lang::type_name(value->type)));
    return unknown(n.span);
  }
  if (auto literal = literal_value(*value)) {
    const Folded folded = fold_unary(n.op, *literal);
    if (folded.value) {
      const Type type = n.op == UnaryOp::BitNot && !folded.value->is_negative ? lang::make_uint64() : type_of(*folded.value);
      return typed::make_constant(type, n.span, folded.value->bits);
    }
    report(Diag::InvalidOperand, n.span, folded.problem);
    return unknown(n.span);
  }
  // The operand's width stays: ~ of an int8 is a uint8, - of a uint8 a uint8.
  const Type type = lang::make_integer(value->type.size * 8, n.op == UnaryOp::Negate && value->type.is_signed);
  value = widen_to_64(std::move(value));
  const Type wide = value->type;
  const auto op = n.op == UnaryOp::Negate ? typed::UnaryOp::Negate : typed::UnaryOp::BitNot;
  return convert_to(typed::make(wide, n.span, typed::Unary{op, std::move(value)}), type);
}

ValuePtr BodyLowering::lower(const Ternary& n) {
  if (!n.then) {
    ValuePtr value = operand(n.condition);
    return choose_otherwise(std::move(value), operand(n.otherwise), n.span);
  }
  ValuePtr test = condition(n.condition);
  ValuePtr then = raw(*n.then);
  return choose(std::move(test), std::move(then), raw(n.otherwise), n.span);
}

ValuePtr BodyLowering::lower(const IfExpr& n) {
  if (n.comptime) {
    const auto holds = comptime_condition(n.condition);
    if (!holds) return unknown(n.span);
    if (*holds) return block_value(*n.then);
    return n.otherwise ? block_value(*n.otherwise) : typed::make(lang::make_void(), n.span, typed::Sequence{});
  }
  ValuePtr test = condition(n.condition);
  ValuePtr then = block_value(*n.then);
  ValuePtr otherwise = n.otherwise ? block_value(*n.otherwise) : typed::make(lang::make_void(), n.span, typed::Sequence{});
  return choose(std::move(test), std::move(then), std::move(otherwise), n.span);
}

ValuePtr BodyLowering::choose(ValuePtr test, ValuePtr then, ValuePtr otherwise, Span span) {
  if (then->type.is(TypeKind::Void) && otherwise->type.is(TypeKind::Void)) {
    if (!is_known(test)) return unknown(span);
    Statements both;
    both.push_back(typed::make_statement(span, typed::If{std::move(test), std::move(std::get<typed::Sequence>(then->op).before),
                                                         std::move(std::get<typed::Sequence>(otherwise->op).before)}));
    return typed::make(lang::make_void(), span, typed::Sequence{std::move(both), nullptr});
  }
  then = as_integer(no_void(std::move(then)));
  otherwise = as_integer(no_void(std::move(otherwise)));
  if (!is_known(test) || !is_known(then) || !is_known(otherwise)) return unknown(span);
  Shape shape = shape_of(*then);
  const bool joined = join(shape, shape_of(*otherwise)) != Joined::Mismatch;
  const Type type = settled(shape);
  if (!joined || !converts_implicitly(*then, type) || !converts_implicitly(*otherwise, type)) {
    report(Diag::TypeMismatch, span, fmt::format("Ternary operator must return the same type: have '{}' and '{}'",
                                                 lang::type_name(then->type), lang::type_name(otherwise->type)));
    return unknown(span);
  }
  then = convert_to(std::move(then), type);
  otherwise = convert_to(std::move(otherwise), type);
  return typed::make(type, span, typed::Select{std::move(test), std::move(then), std::move(otherwise)});
}

/// c ?: b
ValuePtr BodyLowering::choose_otherwise(ValuePtr test, ValuePtr otherwise, Span span) {
  if (!is_known(test) || !is_known(otherwise)) return unknown(span);
  Shape shape = shape_of(*test);
  const bool joined = is_condition(test->type) && join(shape, shape_of(*otherwise)) != Joined::Mismatch;
  const Type type = settled(shape);
  if (!joined || !converts_implicitly(*otherwise, type)) {
    report(Diag::TypeMismatch, span, fmt::format("Ternary operator must return the same type: have '{}' and '{}'",
                                                 lang::type_name(test->type), lang::type_name(otherwise->type)));
    return unknown(span);
  }
  test = convert_to(std::move(test), type);
  otherwise = convert_to(std::move(otherwise), type);
  return typed::make(type, span, typed::Select{std::move(test), nullptr, std::move(otherwise)});
}

}  // namespace trc::ast
