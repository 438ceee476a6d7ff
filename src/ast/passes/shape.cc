#include "ast/passes/shape.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace trc::ast {
namespace {

using lang::Type;
using lang::TypeKind;

unsigned bits_of(const Type& type) { return type.size * 8; }

bool holds(const Type& type, std::uint64_t value) {
  const unsigned usable = bits_of(type) - (type.is_signed ? 1 : 0);
  return usable >= 64 || value >> usable == 0;
}

/// `type` widened until it holds a non-negative literal; its sign stays unless no width is enough.
Type widened_for(Type type, std::uint64_t literal) {
  if (type.is_enumeration()) type = lang::make_integer(bits_of(type), type.is_signed);
  while (!holds(type, literal)) {
    if (bits_of(type) == 64) return lang::make_uint64();
    type = lang::make_integer(bits_of(type) * 2, type.is_signed);
  }
  return type;
}

Type common_integer(const Type& a, const Type& b) {
  if (a == b) return a;
  if (a.is_signed == b.is_signed) return lang::make_integer(std::max(bits_of(a), bits_of(b)), a.is_signed);
  const Type& with_sign = a.is_signed ? a : b;
  const Type& without = a.is_signed ? b : a;
  if (with_sign.size > without.size) return lang::make_integer(bits_of(with_sign), true);
  return lang::make_integer(std::min(64u, bits_of(without) * 2), true);
}

Joined set_type(Shape& into, Type type, bool is_literal) {
  if (into.type == type && into.is_literal == is_literal) return Joined::Same;
  into.type = std::move(type);
  into.is_literal = is_literal;
  return Joined::Widened;
}

Joined join_integers(Shape& into, const Shape& from) {
  if (into.is_literal && from.is_literal) {
    if (from.largest <= into.largest) return Joined::Same;
    into.largest = from.largest;
    return set_type(into, literal_type(into.largest), true) == Joined::Same ? Joined::Same : Joined::Widened;
  }
  if (into.is_literal) return set_type(into, widened_for(from.type, into.largest), false);
  if (from.is_literal) return set_type(into, widened_for(into.type, from.largest), false);
  return set_type(into, common_integer(into.type, from.type), false);
}

bool same_names(const Shape& a, const Shape& b) {
  auto names = [](const Shape& shape) {
    std::vector<std::string> all;
    for (const auto& field : shape.type.fields) all.push_back(field.name);
    std::sort(all.begin(), all.end());
    return all;
  };
  return names(a) == names(b);
}

std::size_t member_named(const Shape& shape, const std::string& name) {
  const auto& fields = shape.type.fields;
  return static_cast<std::size_t>(std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; }) - fields.begin());
}

/// Tuples join element by element, records by name; the order of the first one stays.
Joined join_members(Shape& into, const Shape& from) {
  if (into.members.size() != from.members.size() || !same_names(into, from)) return Joined::Mismatch;
  Shape wider = into;
  Joined result = Joined::Same;
  for (std::size_t i = 0; i < wider.members.size(); ++i) {
    const std::size_t j = into.type.is(TypeKind::Record) ? member_named(from, into.type.fields[i].name) : i;
    const Joined one = join(wider.members[i], from.members[j]);
    if (one == Joined::Mismatch) return one;
    if (one == Joined::Widened) result = one;
  }
  if (result == Joined::Widened) {
    wider.type = settled(wider);
    into = std::move(wider);
  }
  return result;
}

Joined join_aggregates(Shape& into, const Shape& from) {
  Type with_sign = into.type;
  with_sign.is_signed = with_sign.is_signed || from.type.is_signed;
  Type other = from.type;
  other.is_signed = with_sign.is_signed;
  return with_sign == other ? set_type(into, with_sign, false) : Joined::Mismatch;
}

/// The address of a variable widens as the variable does.
Joined join_pointers(Shape& into, const Shape& from) {
  if (into.type.element() == from.type.element()) return Joined::Same;
  if (into.type.space != lang::AddressSpace::Bpf || from.type.space != lang::AddressSpace::Bpf) return Joined::Mismatch;
  Shape pointee = shape_of(into.type.element());
  const Joined joined = join(pointee, shape_of(from.type.element()));
  if (joined != Joined::Widened) return joined;
  return set_type(into, lang::make_pointer(settled(pointee), lang::AddressSpace::Bpf), false);
}

Joined join_same_kind(Shape& into, const Shape& from) {
  switch (into.type.kind) {
    case TypeKind::Integer: return join_integers(into, from);
    case TypeKind::String:
    case TypeKind::Buffer: return from.type.size > into.type.size ? set_type(into, from.type, false) : Joined::Same;
    case TypeKind::Tuple:
    case TypeKind::Record: return join_members(into, from);
    case TypeKind::Pointer: return join_pointers(into, from);
    case TypeKind::Count:
    case TypeKind::Sum:
    case TypeKind::Min:
    case TypeKind::Max:
    case TypeKind::Avg:
    case TypeKind::Stats:
    case TypeKind::Histogram:
    case TypeKind::LinearHistogram:
    case TypeKind::TimeSeries: return join_aggregates(into, from);
    case TypeKind::None:
    case TypeKind::Void:
    case TypeKind::Bool:
    case TypeKind::Array:
    case TypeKind::Struct:
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
  return into.type == from.type ? Joined::Same : Joined::Mismatch;
}

/// A tuple with a part that is not known yet is not known as a whole: half a layout would only have to be taken back.
bool all_known(const Shape& shape) {
  return shape.is_known() && std::all_of(shape.members.begin(), shape.members.end(), all_known);
}

}  // namespace

bool is_flexible(const typed::Value& value) {
  const auto* constant = std::get_if<typed::Constant>(&value.op);
  return constant && value.type.is_integer() && !value.type.is_enumeration() && value.type.is_signed && static_cast<std::int64_t>(constant->bits) >= 0;
}

Type literal_type(std::uint64_t value) {
  for (unsigned bits : {8u, 16u, 32u, 64u}) {
    if (Type type = lang::make_integer(bits, true); holds(type, value)) return type;
  }
  return lang::make_uint64();
}

Type negative_literal_type(std::int64_t value) {
  if (value >= std::numeric_limits<std::int8_t>::min()) return lang::make_integer(8, true);
  if (value >= std::numeric_limits<std::int16_t>::min()) return lang::make_integer(16, true);
  if (value >= std::numeric_limits<std::int32_t>::min()) return lang::make_integer(32, true);
  return lang::make_int64();
}

Shape shape_of(const Type& type) {
  Shape shape;
  shape.type = type;
  if (type.is(TypeKind::Tuple) || type.is(TypeKind::Record)) {
    for (const auto& field : type.fields) shape.members.push_back(shape_of(field.type));
  }
  return all_known(shape) ? shape : Shape{};
}

Shape shape_of(const typed::Value& value) {
  Shape shape = shape_of(value.type);
  if (is_flexible(value)) {
    shape.is_literal = true;
    shape.largest = std::get<typed::Constant>(value.op).bits;
  }
  if (const auto* tuple = std::get_if<typed::MakeTuple>(&value.op); tuple && shape.is_known()) {
    for (std::size_t i = 0; i < tuple->elements.size(); ++i) shape.members[i] = shape_of(*tuple->elements[i]);
  }
  return shape;
}

Type settled(const Shape& shape) {
  if (shape.type.is(TypeKind::Tuple)) {
    std::vector<Type> elements;
    for (const Shape& member : shape.members) elements.push_back(settled(member));
    return lang::make_tuple(std::move(elements));
  }
  if (shape.type.is(TypeKind::Record)) {
    std::vector<lang::Field> fields;
    for (std::size_t i = 0; i < shape.members.size(); ++i) fields.push_back({.name = shape.type.fields[i].name, .type = settled(shape.members[i])});
    return lang::make_record(std::move(fields));
  }
  return shape.type;
}

Joined join(Shape& into, const Shape& from) {
  if (!from.is_known()) return Joined::Same;
  if (!into.is_known() || into.is_assumed) {
    into = from;
    return Joined::Widened;
  }
  if (into.type.kind != from.type.kind) return Joined::Mismatch;
  if (into.is_declared) return Joined::Same;
  return join_same_kind(into, from);
}

}  // namespace trc::ast
