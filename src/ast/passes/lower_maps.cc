// Maps: keys, reads, assignments, aggregates, increments (language.md §12, §19).
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/fold.h"
#include "ast/passes/lower.h"
#include "ast/passes/lower_call.h"
#include "ast/spelling.h"

namespace trc::ast {

using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

CallLowering::Map BodyLowering::describe(typed::MapId map) const {
  const MapInfo& info = shared_.input.names.maps[map];
  return {map, info.name, info.is_keyed, settled(shared_.maps[map].key), settled(shared_.maps[map].value)};
}

ValuePtr BodyLowering::fit_key(typed::MapId map, ValuePtr key, Span span) {
  if (!is_known(key)) return key;
  Shape& shape = shared_.maps[map].key;
  const std::string& name = shared_.input.names.maps[map].name;
  if (join(shape, shape_of(*key)) == Joined::Widened) shared_.changed = true;
  const Type type = settled(shape);
  if (!converts_implicitly(*key, type)) {
    const std::string given = lang::type_name(key->type), expected = lang::type_name(type);
    Diagnostic& mismatch = report(Diag::TypeMismatch, span, fmt::format("Argument mismatch for {}: trying to access with arguments: '{}' when map expects arguments: '{}'",
                                                                        name, given, expected));
    if (given == expected) mismatch.with_hint("these are stacks of two kinds, or of two limits: a map holds one, so use another map for the other");
    return unknown(span);
  }
  if (type.is_integer() && type.is_signed) warn_sign(*key, " (key of " + name + ")", key->span);
  return convert_to(std::move(key), type);
}

/// Several keys are one tuple. Null when the map has no keys.
ValuePtr BodyLowering::key_of(typed::MapId map, const std::vector<Expr>& keys, Span span) {
  if (keys.size() == 1) return fit_key(map, operand(keys.front()), span);
  std::vector<ValuePtr> elements;
  std::vector<Type> types;
  bool all_known = true;
  for (const Expr& e : keys) {
    elements.push_back(operand(e));
    types.push_back(elements.back()->type);
    all_known = all_known && is_known(elements.back());
  }
  if (!all_known) return unknown(span);
  return fit_key(map, typed::make(lang::make_tuple(std::move(types)), span, typed::MakeTuple{std::move(elements)}), span);
}

ValuePtr BodyLowering::lower(const MapRef& n) {
  const typed::MapId map = map_index(n);
  if (map == kNone) return unknown(n.span);
  ValuePtr key;
  if (n.has_keys) {
    key = key_of(map, n.keys, n.span);
    if (!is_known(key)) return unknown(n.span);
  }
  const bool mixed = shared_.input.names.maps[map].is_keyed != n.has_keys;   // reported by names.cc
  const Type type = settled(shared_.maps[map].value);
  if (mixed || type.is(TypeKind::None)) return unknown(n.span);
  return typed::make(type, n.span, typed::MapGet{map, std::move(key)});
}

void BodyLowering::assign_map(const MapRef& target, const Assign& n, Statements& out) {
  const typed::MapId map = map_index(target);
  if (map == kNone) return;
  if (const auto* row = aggregate_call(n.value)) return assign_aggregate(target, n, *row, out);
  if (n.op) return update_map(target, n, out);
  MapState& state = shared_.maps[map];
  const std::string& name = shared_.input.names.maps[map].name;
  ValuePtr key = target.has_keys ? key_of(map, target.keys, target.span) : nullptr;
  ValuePtr value = loaded(no_void(raw(n.value)));
  if (value->type.is_aggregate()) {
    if (state.value.type.is_integer() && !state.value.is_assumed) {
      value = as_integer(std::move(value));
    } else if (shared_.is_final) {
      report(Diag::InvalidAssignment, n.span, fmt::format("Map value '{}' cannot be assigned from one map to another. The function that returns this type must be called directly",
                                                          lang::type_name(value->type)))
          .with_hint(fmt::format("cast it to assign the number it stands for now: {} = (int64)…", name));
      return;
    } else {
      return;
    }
  }
  value = fit(state.value, std::move(value), name, "map", n.span);
  if (!is_known(value) || (key && !is_known(key)) || shared_.input.names.maps[map].is_keyed != target.has_keys) return;
  out.push_back(typed::make_statement(n.span, typed::MapSet{map, std::move(key), std::move(value)}));
}

void BodyLowering::assign_aggregate(const MapRef& target, const Assign& n, const lang::BuiltinSpec& row, Statements& out) {
  const typed::MapId map = map_index(target);
  MapState& state = shared_.maps[map];
  const std::string& name = shared_.input.names.maps[map].name;
  if (n.op) {
    report(Diag::InvalidAssignment, n.span, fmt::format("{}() must be assigned directly to a map", row.name)).with_hint("write = instead");
    return;
  }
  ValuePtr key = target.has_keys ? key_of(map, target.keys, target.span) : nullptr;
  CallOfBuiltin call(*this, row, **std::get_if<Call*>(&n.value));
  call.run();
  auto [type, argument] = call.take_aggregate();
  if (type.is(TypeKind::None)) return;
  const Joined joined = join(state.value, shape_of(type));
  if (joined == Joined::Widened) shared_.changed = true;
  if (joined == Joined::Mismatch) {
    Diagnostic& diagnostic = report(Diag::TypeMismatch, n.span, fmt::format("Type mismatch for {}: trying to assign value of type '{}' when map already has a type '{}'", name,
                                                   lang::type_name(type), lang::type_name(state.value.type)));
    if (type.kind == state.value.type.kind) diagnostic.with_hint(fmt::format("every {}() of one map takes the same buckets", row.name));
    return;
  }
  if ((key && !is_known(key)) || shared_.input.names.maps[map].is_keyed != target.has_keys) return;
  out.push_back(typed::make_statement(n.span, typed::MapAggregate{map, std::move(key), std::move(argument)}));
}

/// @m op= e. Sums are atomic where the kernel can add; a key with work in it is computed once.
void BodyLowering::update_map(const MapRef& target, const Assign& n, Statements& out) {
  const typed::MapId map = map_index(target);
  MapState& state = shared_.maps[map];
  const std::string& name = shared_.input.names.maps[map].name;
  if (shared_.input.names.maps[map].is_keyed != target.has_keys) return;
  ValuePtr key = target.has_keys ? key_of(map, target.keys, target.span) : nullptr;
  ValuePtr value = operand(n.value);
  if ((key && !is_known(key)) || !is_known(value)) return;
  Type current = settled(state.value);
  if (current.is(TypeKind::None)) current = literal_type(0);   // an unset map reads 0
  if (current.is_aggregate()) {
    report(Diag::InvalidAssignment, n.span, fmt::format("{} holds the result of {}, which only that function may change", name, lang::type_name(current)));
    return;
  }
  typed::SlotId key_slot = 0;
  const Type key_type = key ? key->type : Type{};
  const bool adds = (*n.op == BinaryOp::Add || *n.op == BinaryOp::Subtract) && current.is_integer() && current.size == 8 && value->type.is_integer();
  if (adds) {
    if (current.is_signed) warn_sign(*value, fmt::format(" (operand of {}=)", spelling(*n.op)), value->span);
    value = convert_to(widen_to_64(std::move(value)), current);
    if (*n.op == BinaryOp::Subtract) {
      const Span span = value->span;
      value = typed::make(current, span, typed::Unary{typed::UnaryOp::Negate, std::move(value)});
    }
    out.push_back(typed::make_statement(n.span, typed::MapAdd{map, std::move(key), std::move(value)}));
    return;
  }
  if (key) {
    key_slot = temporary(key_type);
    out.push_back(typed::make_statement(n.span, typed::StoreSlot{key_slot, std::move(key)}));
  }
  auto load_key = [&] { return target.has_keys ? typed::make(key_type, target.span, typed::LoadSlot{key_slot}) : nullptr; };
  ValuePtr old = typed::make(current, target.span, typed::MapGet{map, load_key()});
  value = fit(state.value, binary(*n.op, std::move(old), std::move(value), n.span, n.span), name, "map", n.span);
  if (!is_known(value)) return;
  out.push_back(typed::make_statement(n.span, typed::MapSet{map, load_key(), std::move(value)}));
}

ValuePtr BodyLowering::increment_map(const MapRef& n, std::int64_t delta, bool want_old, Span span) {
  const typed::MapId map = map_index(n);
  if (map == kNone || shared_.input.names.maps[map].is_keyed != n.has_keys) return unknown(span);
  MapState& state = shared_.maps[map];
  ValuePtr key = n.has_keys ? key_of(map, n.keys, n.span) : nullptr;
  if (key && !is_known(key)) return unknown(span);
  const Type current = settled(state.value);
  if (!current.is(TypeKind::None) && !current.is_integer()) {
    report(Diag::InvalidOperand, span, fmt::format("The {} operator can not be used on a map of type '{}'", delta > 0 ? "++" : "--", lang::type_name(current)));
    return unknown(span);
  }
  const bool is_unsigned = delta > 0 && current.is_integer() && !current.is_signed;
  if (join(state.value, shape_of(lang::make_integer(64, !is_unsigned))) == Joined::Widened) shared_.changed = true;
  return typed::make(settled(state.value), span, typed::IncrementMap{map, std::move(key), delta, want_old});
}

}  // namespace trc::ast
