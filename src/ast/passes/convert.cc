#include "ast/passes/convert.h"

#include <algorithm>
#include <utility>

#include "ast/build.h"
#include "ast/passes/fold.h"
#include "base/assert.h"

namespace trc::ast {
namespace {

using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

std::size_t field_named(const Type& type, const std::string& name) {
  const auto it = std::find_if(type.fields.begin(), type.fields.end(), [&](const auto& f) { return f.name == name; });
  return static_cast<std::size_t>(it - type.fields.begin());
}

/// Which member of `from` becomes member i of `to`.
std::size_t source_member(const Type& from, const Type& to, std::size_t i) {
  return to.is(TypeKind::Record) ? field_named(from, to.fields[i].name) : i;
}

bool members_convert(const Type& from, const Type& to) {
  if (from.fields.size() != to.fields.size()) return false;
  for (std::size_t i = 0; i < to.fields.size(); ++i) {
    const std::size_t j = source_member(from, to, i);
    if (j == from.fields.size() || !converts_implicitly(from.fields[j].type, to.fields[i].type)) return false;
  }
  return true;
}

bool same_order(const Type& from, const Type& to) {
  for (std::size_t i = 0; i < to.fields.size(); ++i) {
    if (source_member(from, to, i) != i) return false;
  }
  return true;
}

ValuePtr convert_new_tuple(ValuePtr value, const Type& to) {
  auto& elements = std::get<typed::MakeTuple>(value->op).elements;
  std::vector<ValuePtr> converted;
  for (std::size_t i = 0; i < to.fields.size(); ++i) {
    converted.push_back(convert_to(std::move(elements[source_member(value->type, to, i)]), to.fields[i].type));
  }
  return typed::make(to, value->span, typed::MakeTuple{std::move(converted)});
}

}  // namespace

bool converts_implicitly(const Type& from, const Type& to) {
  if (from == to) return true;
  if (from.kind != to.kind) return false;
  if (from.is_integer()) return true;
  if (from.is_string() || from.is(TypeKind::Buffer)) return from.size <= to.size;
  if (from.is(TypeKind::Pointer)) return from.element() == to.element();
  if (from.is(TypeKind::Tuple)) return members_convert(from, to);
  if (from.is(TypeKind::Record)) return members_convert(from, to) && same_order(from, to);
  return false;
}

bool converts_implicitly(const typed::Value& value, const Type& to) {
  const auto* made = std::get_if<typed::MakeTuple>(&value.op);
  if (!made || value.type.kind != to.kind) return converts_implicitly(value.type, to);
  if (made->elements.size() != to.fields.size()) return false;
  for (std::size_t i = 0; i < to.fields.size(); ++i) {
    const std::size_t j = source_member(value.type, to, i);
    if (j == made->elements.size() || !converts_implicitly(*made->elements[j], to.fields[i].type)) return false;
  }
  return true;
}

ValuePtr convert_to(ValuePtr value, const Type& to) {
  if (value->type == to) return value;
  if (std::holds_alternative<typed::MakeTuple>(value->op) && to.kind == value->type.kind) return convert_new_tuple(std::move(value), to);
  if (std::holds_alternative<typed::StringConstant>(value->op) && to.is_string()) {
    value->type = to;
    return value;
  }
  const Span span = value->span;
  const bool is_literal = std::holds_alternative<typed::Constant>(value->op) && value->type.is_integer() && to.is_integer();
  ValuePtr converted = typed::make(to, span, typed::Convert{std::move(value)});
  if (is_literal) return typed::make_constant(to, span, constant_value(*converted)->bits);
  return converted;
}

ValuePtr widen_to_64(ValuePtr value) {
  TRC_ASSERT(value->type.is_integer());
  const Type to = lang::make_integer(64, value->type.is_signed);
  return convert_to(std::move(value), to);
}

bool is_condition(const Type& type) { return type.is_integer() || type.is(TypeKind::Bool) || type.is(TypeKind::Pointer); }

ValuePtr to_bool(ValuePtr value) {
  if (value->type.is(TypeKind::Bool)) return value;
  if (auto literal = literal_value(*value)) return typed::make_constant(lang::make_bool(), value->span, literal->bits != 0);
  if (value->type.is(TypeKind::Pointer)) value = convert_to(std::move(value), lang::make_uint64());
  return convert_to(std::move(value), lang::make_bool());
}

void give_space(Type& type, lang::AddressSpace space) {
  if (type.is(TypeKind::Pointer) && type.space == lang::AddressSpace::None) type.space = space;
  if (type.is(TypeKind::Array) || type.is(TypeKind::Struct)) {
    for (lang::Field& field : type.fields) give_space(field.type, space);
  }
}

Type readable_as(const Type& aggregate) {
  switch (aggregate.kind) {
    case TypeKind::Count: return lang::make_uint64();
    case TypeKind::Sum:
    case TypeKind::Min:
    case TypeKind::Max:
    case TypeKind::Avg: return lang::make_integer(64, aggregate.is_signed);
    case TypeKind::Stats:
    case TypeKind::Histogram:
    case TypeKind::LinearHistogram:
    case TypeKind::TimeSeries:
    case TypeKind::None:
    case TypeKind::Void:
    case TypeKind::Bool:
    case TypeKind::Integer:
    case TypeKind::Pointer:
    case TypeKind::String:
    case TypeKind::Buffer:
    case TypeKind::Array:
    case TypeKind::Struct:
    case TypeKind::Tuple:
    case TypeKind::Record:
    case TypeKind::Timestamp:
    case TypeKind::KernelStack:
    case TypeKind::UserStack:
    case TypeKind::KernelSymbol:
    case TypeKind::UserSymbol:
    case TypeKind::ProbeName:
    case TypeKind::Username:
    case TypeKind::MacAddress:
    case TypeKind::Inet:
    case TypeKind::CgroupPath: break;
  }
  return {};
}

}  // namespace trc::ast
