// Assignments to variables, and what assignment to variables and maps has in common (language.md §9, §11).
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/fold.h"
#include "ast/passes/lower.h"

namespace trc::ast {

using lang::Type;
using lang::TypeKind;
using typed::make_statement;
using typed::ValuePtr;

namespace {

/// A literal converts to what a declaration asks for only when nothing is lost.
bool literal_fits(const Literal& literal, const Type& type) {
  if (literal.is_negative) return type.is_signed && negative_literal_type(static_cast<std::int64_t>(literal.bits)).size <= type.size;
  const unsigned usable = type.size * 8 - (type.is_signed ? 1 : 0);
  return usable >= 64 || literal.bits >> usable == 0;
}

bool may_lose(const Type& from, const Type& to) {
  return from.is_integer() && to.is_integer() && (from.size > to.size || (from.size == to.size && from.is_signed != to.is_signed));
}

}  // namespace

ValuePtr BodyLowering::report_mismatch(const Shape& shape, const typed::Value& value, const std::string& name, const char* what, Span span) {
  report(Diag::TypeMismatch, span, fmt::format("Type mismatch for {}: trying to assign value of type '{}' when {} already has a type '{}'", name,
                                               lang::type_name(value.type), what, lang::type_name(settled(shape))));
  return unknown(span);
}

ValuePtr BodyLowering::fit(Shape& shape, ValuePtr value, const std::string& name, const char* what, Span span) {
  if (!is_known(value)) return value;
  if (value->type.is(TypeKind::Void)) {
    report(Diag::InvalidAssignment, value->span, "Invalid expression for assignment");
    return unknown(span);
  }
  const Joined joined = join(shape, shape_of(*value));
  if (joined == Joined::Widened) shared_.changed = true;
  const Type type = settled(shape);
  if (joined == Joined::Mismatch || !converts_implicitly(*value, type)) return report_mismatch(shape, *value, name, what, span);
  if (value->type.is_integer() && type.is_integer()) {
    const auto literal = literal_value(*value);
    if (literal && shape.is_declared && !literal_fits(*literal, type)) return report_mismatch(shape, *value, name, what, span);
    if (!literal && shape.is_declared && may_lose(value->type, type)) {
      report(Diag::SignConversion, value->span,
             fmt::format("Expression of type: {} being cast to type: {}. This may cause unexpected results. Use an explicit cast to "
                         "suppress this warning.",
                         lang::type_name(value->type), lang::type_name(type)));
    } else if (type.is_signed) {
      warn_sign(*value, " (assigned to " + name + ")", value->span);
    }
  }
  return convert_to(std::move(value), type);
}

void BodyLowering::store(typed::SlotId slot, ValuePtr value, Span span, Statements& out) {
  value = fit(variables_[slot], std::move(value), "$" + variable_info(slot).name, "variable", span);
  if (is_known(value)) out.push_back(make_statement(span, typed::StoreSlot{slot, std::move(value)}));
}

void BodyLowering::lower(const Let& n, Statements& out) {
  const std::uint32_t slot = variable_index(n.id);
  if (n.type) {
    const auto type = written_type(*n.type);
    if (!type) return;
    const auto whole = shared_.input.types.completed(*type);
    if (!whole) {
      report(Diag::InvalidAssignment, n.type->span, fmt::format("a variable of type '{}' is not possible", lang::type_name(*type)));
      return;
    }
    variables_[slot] = shape_of(*whole);
    variables_[slot].is_declared = true;
  }
  if (n.init) {
    store(slot, as_integer(raw(*n.init)), n.span, out);
  } else if (variables_[slot].is_known()) {
    out.push_back(make_statement(n.span, typed::ZeroSlot{slot}));
  }
}

void BodyLowering::lower(const Assign& n, Statements& out) {
  if (const auto* ref = std::get_if<MapRef*>(&n.target)) return assign_map(**ref, n, out);
  if (const auto* variable = std::get_if<Variable*>(&n.target)) return assign_variable(**variable, n, out);
  ValuePtr base = unknown(n.span);
  if (const auto* field = std::get_if<FieldAccess*>(&n.target)) base = raw((*field)->base);
  const bool is_struct = base->type.is(TypeKind::Struct) || base->type.is(TypeKind::Pointer);
  report(Diag::InvalidAssignment, span_of(n.target),
         is_struct ? "struct values are read-only here" : "Tuples and records are immutable once created. Consider creating a new one and assigning it");
}

void BodyLowering::assign_variable(const Variable& target, const Assign& n, Statements& out) {
  const std::uint32_t slot = variable_index(target.id);
  if (slot == kNone) {
    raw(n.value);   // for the mistakes in it
    return;
  }
  ValuePtr value = as_integer(raw(n.value));
  if (n.op) {
    value = no_void(std::move(value));
    ValuePtr old = variables_[slot].is_known() ? typed::make(settled(variables_[slot]), target.span, typed::LoadSlot{slot}) : unknown(target.span);
    value = binary(*n.op, std::move(old), std::move(value), n.span, n.span);
    // $p += 8 stays a pointer; `let $x: uint8; $x += 1` wraps as declared, without a word.
    if (is_known(value) && variables_[slot].is_declared && value->type.is_integer() && variables_[slot].type.is_integer()) {
      value = convert_to(std::move(value), variables_[slot].type);
    }
  }
  store(slot, std::move(value), n.span, out);
}

ValuePtr BodyLowering::increment(const Unary& n) {
  const bool up = n.op == UnaryOp::PreIncrement || n.op == UnaryOp::PostIncrement;
  const bool want_old = n.op == UnaryOp::PostIncrement || n.op == UnaryOp::PostDecrement;
  const std::int64_t delta = up ? 1 : -1;
  if (const auto* variable = std::get_if<Variable*>(&n.operand)) return increment_variable(**variable, delta, want_old, n.span);
  if (const auto* ref = std::get_if<MapRef*>(&n.operand)) return increment_map(**ref, delta, want_old, n.span);
  report(Diag::InvalidOperand, n.span, fmt::format("The {} operator must be applied to a map or variable", up ? "++" : "--"));
  return unknown(n.span);
}

ValuePtr BodyLowering::increment_variable(const Variable& n, std::int64_t delta, bool want_old, Span span) {
  const std::uint32_t slot = variable_index(n.id);
  if (slot == kNone || !variables_[slot].is_known()) return unknown(span);
  Shape& shape = variables_[slot];
  if (shape.type.is(TypeKind::Pointer)) {
    const std::int64_t size = std::max<std::uint32_t>(shared_.input.types.resolved(shape.type.element()).size, 1);
    return typed::make(shape.type, span, typed::IncrementSlot{slot, delta * size, want_old});
  }
  if (!shape.type.is_integer()) {
    report(Diag::InvalidOperand, span, fmt::format("The {} operator can not be used on expressions of type '{}'", delta > 0 ? "++" : "--", lang::type_name(shape.type)));
    return unknown(span);
  }
  if (!shape.is_declared) {
    const bool is_unsigned = delta > 0 && !shape.type.is_signed;
    if (join(shape, shape_of(lang::make_integer(64, !is_unsigned))) == Joined::Widened) shared_.changed = true;
  }
  return typed::make(shape.type, span, typed::IncrementSlot{slot, delta, want_old});
}

}  // namespace trc::ast
