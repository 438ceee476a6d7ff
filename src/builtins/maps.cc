// Functions on maps.
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::ActionKind;
using lang::BuiltinSpec;
using lang::Param;
using lang::TypeKind;
using typed::ValuePtr;

std::optional<CallLowering::Map> map_argument(CallLowering& call) {
  auto map = call.whole_map(0);
  if (!map) {
    call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("{}() expects a map as its first argument", call.name()))
        .with_hint("a whole map is written without a key: @name");
  }
  return map;
}

void lower_clear(CallLowering& call) {
  if (const auto map = map_argument(call)) call.emit(ActionKind::ClearMap, "", {}, map->id);
}

void lower_zero(CallLowering& call) {
  if (const auto map = map_argument(call)) call.emit(ActionKind::ZeroMap, "", {}, map->id);
}

/// delete(@m, k), delete(@scalar), and the older delete(@m[k]).
void lower_delete(CallLowering& call) {
  ValuePtr key;
  if (const auto element = call.map_element(0, key)) {
    if (call.argument_count() > 1) {
      call.report(Diag::ArgumentType, call.argument_span(1), "the key is given twice").with_hint("write delete(@map, key)");
      return;
    }
    if (key) call.result(typed::make(lang::make_bool(), call.span(), typed::MapDelete{element->id, std::move(key)}));
    return;
  }
  const auto map = map_argument(call);
  if (!map) return;
  if (call.argument_count() == 2) {
    if (!map->is_keyed) {
      call.report(Diag::MapUse, call.argument_span(0), fmt::format("call to delete() expects a map with explicit keys (non-scalar map), {} has none", map->name));
      return;
    }
    key = call.key(*map, 1);
    if (!key) return;
  }
  call.result(typed::make(lang::make_bool(), call.span(), typed::MapDelete{map->id, std::move(key)}));
}

void lower_has_key(CallLowering& call) {
  const auto map = map_argument(call);
  if (!map) return;
  if (!map->is_keyed) {
    call.report(Diag::MapUse, call.argument_span(0), fmt::format("call to has_key() expects a map with explicit keys (non-scalar map), {} has none", map->name));
    return;
  }
  ValuePtr key = call.key(*map, 1);
  if (key) call.result(typed::make(lang::make_bool(), call.span(), typed::MapHas{map->id, std::move(key)}));
}

/// find(@m, key, $v): the key is computed once; $v keeps what it has when there is no entry.
void lower_find(CallLowering& call) {
  const auto map = call.whole_map(0);
  if (!map) return;
  if (!map->is_keyed) {
    call.report(Diag::MapUse, call.argument_span(0), fmt::format("call to find() expects a map with explicit keys (non-scalar map), {} has none", map->name));
    return;
  }
  ValuePtr key = call.key(*map, 1);
  if (!key || map->value.is(TypeKind::None)) return;
  const Span span = call.span();
  const lang::Type key_type = key->type;
  const typed::SlotId kept = call.temporary(key_type), found = call.temporary(lang::make_bool());
  auto load_key = [&] { return typed::make(key_type, span, typed::LoadSlot{kept}); };
  auto load_found = [&] { return typed::make(lang::make_bool(), span, typed::LoadSlot{found}); };
  ValuePtr value = call.as_integer(typed::make(map->value, span, typed::MapGet{map->id, load_key()}));
  auto assignment = value ? call.assign(2, std::move(value)) : std::nullopt;
  if (!assignment) return;
  call.statement(typed::make_statement(span, typed::StoreSlot{kept, std::move(key)}));
  call.statement(typed::make_statement(span, typed::StoreSlot{found, typed::make(lang::make_bool(), span, typed::MapHas{map->id, load_key()})}));
  call.statement(typed::make_statement(span, typed::If{load_found(), std::move(*assignment), {}}));
  call.result(load_found());
}

void length_of_map(CallLowering& call, const CallLowering::Map& map) {
  if (map.is_keyed) {
    call.result(typed::make(lang::make_int64(), call.span(), typed::MapLength{map.id}));
  } else {
    call.report(Diag::MapUse, call.argument_span(0), fmt::format("call to len() expects a map with explicit keys (non-scalar map), {} has none", map.name));
  }
}

void lower_len(CallLowering& call) {
  const auto map = call.whole_map(0);
  if (map && (map->is_keyed || !(map->value.is_stack() || map->value.is_string() || map->value.is(TypeKind::Array)))) return length_of_map(call, *map);
  ValuePtr value = call.argument(0);
  if (!value) return;
  const lang::Type& type = value->type;
  const lang::Type result = lang::make_int64();
  if (const auto* stack = std::get_if<typed::CaptureStack>(&value->op)) {
    // Only the number is wanted: frames are counted, nothing is stored.
    call.result(typed::make(result, call.span(), typed::StackLength{type.is(TypeKind::UserStack), type.count, stack->limit_given, stack->unwinding,
                                                         stack->frames}));
  } else if (type.is_stack()) {
    call.result(typed::make(result, call.span(), typed::FrameCount{std::move(value)}));
  } else if (type.is_string()) {
    call.result(call.convert(typed::make(lang::make_uint64(), call.span(), typed::StringLength{std::move(value)}), result));
  } else if (type.is(TypeKind::Array)) {
    call.result(typed::make_constant(result, call.span(), type.count));
  } else {
    call.report(Diag::ArgumentType, call.argument_span(0), "call to len() expects a map, ustack, or kstack");
  }
}

constexpr Param kMap[] = {{.name = "map", .type = "map"}};
constexpr Param kMapKey[] = {{.name = "map", .type = "map"}, {.name = "key", .type = "key"}};
constexpr Param kDelete[] = {{.name = "map", .type = "map"}, {.name = "key", .type = "key", .optional = true}};
constexpr Param kFind[] = {{.name = "map", .type = "map"}, {.name = "key", .type = "key"}, {.name = "variable", .type = "variable"}};
constexpr Param kLen[] = {{.name = "what", .type = "map or stack"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "clear", .params = kMap, .result = "void", .lower = lang::Custom{lower_clear}, .doc = "Removes all entries of a map.",
     .example = "interval:s:1 { print(@n); clear(@n); @n[1] = count(); }"},
    {.name = "zero", .params = kMap, .result = "void", .lower = lang::Custom{lower_zero}, .doc = "Sets all values of a map to zero.",
     .example = "interval:s:1 { zero(@n); @n[1] = count(); }"},
    {.name = "delete", .params = kDelete, .result = "bool", .lower = lang::Custom{lower_delete},
     .doc = "Removes one entry, or a map without keys; true when it was there.", .example = "begin { @a[1] = 2; print(delete(@a, 1)); }",
     .prints = "true"},
    {.name = "has_key", .params = kMapKey, .result = "bool", .lower = lang::Custom{lower_has_key}, .doc = "Whether a map has an entry for a key.",
     .example = "begin { @a[1] = 2; print(has_key(@a, 3)); clear(@a); }", .prints = "false"},
    {.name = "find", .params = kFind, .result = "bool", .lower = lang::Custom{lower_find},
     .doc = "Whether a map has an entry for a key; its value goes to the variable then.",
     .example = "begin { @a[1] = 2; if (find(@a, 1, $v)) { print($v); } clear(@a); }", .prints = "2"},
    {.name = "len", .params = kLen, .result = "int64", .lower = lang::Custom{lower_len},
     .doc = "Number of entries of a map, of frames of a stack, of characters of a string, of elements of an array.",
     .example = "begin { @a[1] = 2; print(len(@a)); clear(@a); }", .prints = "1"},
};

}  // namespace

std::span<const BuiltinSpec> map_builtins() { return kRows; }

}  // namespace trc::builtins
