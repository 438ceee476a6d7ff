// C structures and arrays where they lie: members, elements, and what is read in the end (language.md §8.4, §13).
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/fold.h"
#include "ast/passes/lower.h"
#include "source/suggest.h"

namespace trc::ast {

using lang::AddressSpace;
using lang::Field;
using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

ValuePtr BodyLowering::loaded(ValuePtr value) {
  auto* read = std::get_if<typed::Dereference>(&value->op);
  if (!read) return value;
  const Span span = value->span;
  const Type type = value->type;
  if (type.is_string()) return typed::make(type, span, typed::ReadString{std::move(read->address), nullptr});
  if (!type.is(TypeKind::Struct) && !type.is(TypeKind::Array)) return value;
  const lang::AddressSpace space = read->address->type.space;
  if (type.is(TypeKind::Array) && type.count == 0) {   // of unknown length: where it begins, as in C
    return typed::make(lang::make_pointer(type.element(), space), span, typed::Convert{std::move(read->address)});
  }
  auto whole = shared_.input.types.completed(type);
  if (!whole) {
    report(Diag::LimitExceeded, span, fmt::format("a value of type '{}' is too large, or not defined here", lang::type_name(type)))
        .with_hint("read its members through a pointer");
    return unknown(span);
  }
  give_space(*whole, space);
  value->type = std::move(*whole);
  return value;
}

std::optional<BodyLowering::ContextPlace> BodyLowering::context_place(const FieldAccess* access) {
  ContextPlace base;
  if (const auto* identifier = std::get_if<Identifier*>(&access->base); identifier && (*identifier)->name == "ctx") {
    if (plan_.context.kind == lang::ProgramKind::PerfEvent) {
      if (access->field == "regs") return ContextPlace{lang::make_struct("struct pt_regs"), 0};   // struct bpf_perf_event_data begins with it
      base.type = lang::make_struct("struct bpf_perf_event_data");
    } else if (plan_.context.kind == lang::ProgramKind::UserProbe || plan_.context.kind == lang::ProgramKind::KernelFunction ||
               plan_.context.kind == lang::ProgramKind::KernelAddress) {
      base.type = lang::make_struct("struct pt_regs");
    } else {
      return std::nullopt;
    }
  } else if (const auto* inner = std::get_if<FieldAccess*>(&access->base)) {
    const auto outer = context_place(*inner);
    if (!outer || outer->type.is(TypeKind::None)) return outer;
    base = *outer;
  } else {
    return std::nullopt;
  }
  const auto field = find_member(base.type, access->field, access->field_span);
  if (!field) return ContextPlace{};
  return ContextPlace{field->type, base.offset + field->offset};
}

ValuePtr BodyLowering::read_at(ValuePtr base, ValuePtr offset, Type type, Span span) {
  ValuePtr address = std::move(std::get<typed::Dereference>(base->op).address);
  const AddressSpace space = address->type.space;
  const Type pointer = lang::make_pointer(type, space);
  if (offset) {
    address = typed::make_binary(typed::BinaryOp::Add, pointer, span, std::move(address), std::move(offset));
  } else {
    address = typed::make(pointer, span, typed::Convert{std::move(address)});
  }
  give_space(type, space);
  return typed::make(std::move(type), span, typed::Dereference{std::move(address)});
}

std::optional<Field> BodyLowering::find_member(const Type& type, const std::string& name, Span span) {
  std::vector<std::string> names;
  if (type.is(TypeKind::Struct)) {
    if (auto field = shared_.input.types.member(type, name)) return field;
    if (shared_.input.types.resolved(type).definition == 0) {
      const std::string why = shared_.input.types.why_no_kernel_types();
      report(Diag::UnknownField, span, fmt::format("'{}' is declared somewhere, but not what it has", lang::type_name(type)))
          .with_hint(why.empty() ? "neither the script nor the kernel defines it" : why + "; define it in the script");
      return std::nullopt;
    }
    names = shared_.input.types.member_names(type);
  } else if (type.is(TypeKind::Record)) {
    for (const Field& field : type.fields) {
      if (field.name == name) return field;
      names.push_back(field.name);
    }
  } else {
    report(Diag::InvalidOperand, span, fmt::format("a value of type '{}' has no fields", lang::type_name(type)));
    return std::nullopt;
  }
  Diagnostic& diagnostic = report(Diag::UnknownField, span,
                                  type.is(TypeKind::Record)
                                      ? fmt::format("the record has no field named '{}'", name)
                                      : fmt::format("Struct/union of type '{}' does not contain a field named '{}'", lang::type_name(type), name));
  suggest(diagnostic, span, name, names);
  return std::nullopt;
}

/// $p.x and $p->x are the same, through any number of pointers.
ValuePtr BodyLowering::member(ValuePtr base, const FieldAccess& n) {
  while (is_known(base) && base->type.is(TypeKind::Pointer)) {
    const Type& pointee = base->type.element();
    if (!pointee.is(TypeKind::Struct) && !pointee.is(TypeKind::Pointer)) break;
    base = dereference(std::move(base), n.span);
  }
  if (!is_known(base)) return unknown(n.span);
  const Type type = base->type;
  const auto field = find_member(type, n.field, n.field_span);
  if (!field) return unknown(n.span);
  if (type.is(TypeKind::Struct) && std::holds_alternative<typed::Dereference>(base->op)) return read_member(std::move(base), *field, n.span);
  // A value at hand: the members of anonymous members are its own.
  for (std::uint32_t i = 0; i < type.fields.size(); ++i) {
    if (type.fields[i].name == n.field) {
      return no_unreadable(typed::make(type.fields[i].type, n.span, typed::Member{std::move(base), i}), n.field);
    }
  }
  report(Diag::UnknownField, n.field_span, fmt::format("'{}' has no value at hand to take '{}' from", lang::type_name(type), n.field));
  return unknown(n.span);
}

/// What takes room in a structure and cannot be read.
ValuePtr BodyLowering::no_unreadable(ValuePtr value, const std::string& name) {
  if (!value->type.is(TypeKind::Void)) return value;
  report(Diag::NotAvailableHere, value->span, fmt::format("{} has a type that programs cannot read (a floating-point number, a function)", name));
  return unknown(value->span);
}

ValuePtr BodyLowering::read_member(ValuePtr base, const Field& field, Span span) {
  ValuePtr offset;
  if (field.offset != 0) offset = typed::make_constant(lang::make_int64(), span, field.offset);
  if (field.bit_size == 0) return no_unreadable(read_at(std::move(base), std::move(offset), field.type, span), field.name);
  // Up to the top of a word and down again, which extends it by its sign.
  const Type wide = lang::make_integer(64, field.type.is_signed);
  auto count = [&](unsigned bits) { return typed::make_constant(lang::make_uint64(), span, bits); };
  const std::uint32_t end = base->type.size, bytes = field.type.size;
  ValuePtr unit;
  if (field.offset + bytes <= end || end <= field.offset) {
    unit = convert_to(widen_to_64(read_at(std::move(base), std::move(offset), lang::make_integer(bytes * 8, false), span)), wide);
  } else {
    unit = read_short_unit(std::move(base), field, wide, span);
  }
  unit = typed::make_binary(typed::BinaryOp::ShiftLeft, wide, span, std::move(unit), count(64u - field.bit_offset - field.bit_size));
  const auto down = field.type.is_signed ? typed::BinaryOp::ShiftRightArithmetic : typed::BinaryOp::ShiftRightLogical;
  unit = typed::make_binary(down, wide, span, std::move(unit), count(64u - field.bit_size));
  return typed::make(field.type, span, typed::Convert{std::move(unit)});
}

/// The storage unit of a bit field whose structure is smaller than that: what lies behind the structure need not be readable, so it is read byte by byte.
ValuePtr BodyLowering::read_short_unit(ValuePtr base, const Field& field, const Type& wide, Span span) {
  const Type byte = lang::make_integer(8, false);
  const std::uint32_t end = base->type.size;
  auto& where = std::get<typed::Dereference>(base->op).address;
  const Type pointer = where->type;
  const typed::SlotId slot = temporary(lang::make_uint64());
  Statements before;
  before.push_back(typed::make_statement(span, typed::StoreSlot{slot, convert_to(std::move(where), lang::make_uint64())}));
  ValuePtr unit;
  for (std::uint32_t i = 0; field.offset + i < end; ++i) {
    ValuePtr address = typed::make_binary(typed::BinaryOp::Add, lang::make_pointer(byte, pointer.space), span,
                                          typed::make(lang::make_pointer(byte, pointer.space), span, typed::Convert{typed::make(lang::make_uint64(), span, typed::LoadSlot{slot})}),
                                          typed::make_constant(lang::make_int64(), span, field.offset + i));
    ValuePtr one = convert_to(widen_to_64(typed::make(byte, span, typed::Dereference{std::move(address)})), wide);
    one = typed::make_binary(typed::BinaryOp::ShiftLeft, wide, span, std::move(one), typed::make_constant(lang::make_uint64(), span, 8 * i));
    unit = unit ? typed::make_binary(typed::BinaryOp::Or, wide, span, std::move(unit), std::move(one)) : std::move(one);
  }
  return typed::make(wide, span, typed::Sequence{std::move(before), std::move(unit)});
}

/// An element of an array that is still where it was found.
ValuePtr BodyLowering::index_reference(ValuePtr base, ValuePtr index, Span span) {
  const Type type = base->type;
  const Type element = type.is_string() ? lang::make_integer(8, true) : shared_.input.types.resolved(type.element());
  const std::uint32_t count = type.is_string() ? type.size : type.count;
  if (element.size == 0) {
    report(Diag::InvalidOperand, span, fmt::format("the size of '{}' is not known here", lang::type_name(element)));
    return unknown(span);
  }
  const Type wide = lang::make_int64();
  if (const auto constant = constant_value(*index)) {
    return read_at(std::move(base), typed::make_constant(wide, span, constant->bits * element.size), element, span);
  }
  index = convert_to(widen_to_64(std::move(index)), wide);
  auto scaled = [&](ValuePtr number) {
    return typed::make_binary(typed::BinaryOp::Multiply, wide, span, std::move(number), typed::make_constant(wide, span, element.size));
  };
  if (count == 0) return read_at(std::move(base), scaled(std::move(index)), element, span);
  // Outside the array nothing is read, and that is said.
  const typed::SlotId slot = temporary(wide);
  auto load = [&] { return typed::make(wide, span, typed::LoadSlot{slot}); };
  auto is_inside = [&] { return typed::make_binary(typed::BinaryOp::LessUnsigned, lang::make_bool(), span, load(), typed::make_constant(wide, span, count)); };
  Statements before, warning;
  warning.push_back(typed::make_statement(span, typed::Emit{event({.action = lang::ActionKind::RuntimeError, .text = "array index out of bounds", .span = span}), {}}));
  before.push_back(typed::make_statement(span, typed::StoreSlot{slot, std::move(index)}));
  before.push_back(typed::make_statement(span, typed::If{is_inside(), {}, std::move(warning)}));
  ValuePtr inside = is_inside();
  ValuePtr read = read_at(std::move(base), scaled(load()), element, span);
  if (element.is_integer() || element.is(TypeKind::Bool)) {
    ValuePtr chosen = typed::make(read->type, span, typed::Select{std::move(inside), std::move(read), typed::make_constant(element, span, 0)});
    Type of_element = chosen->type;
    return typed::make(std::move(of_element), span, typed::Sequence{std::move(before), std::move(chosen)});
  }
  // From address 0 the kernel gives zeros.
  auto& address = std::get<typed::Dereference>(read->op).address;
  const Type pointer = address->type;
  ValuePtr nowhere = typed::make(pointer, span, typed::Convert{typed::make_constant(lang::make_uint64(), span, 0)});
  ValuePtr checked = typed::make(pointer, span, typed::Select{std::move(inside), std::move(address), std::move(nowhere)});
  address = typed::make(pointer, span, typed::Sequence{std::move(before), std::move(checked)});
  return read;
}

ValuePtr BodyLowering::lower(const OffsetOf& n) {
  Type type;
  if (n.type) {
    auto written = written_type(*n.type);
    if (!written) return unknown(n.span);
    type = std::move(*written);
  } else {
    type = type_of_unused(*n.operand);
  }
  if (type.is(TypeKind::None)) return unknown(n.span);
  const auto offset = member_offset(std::move(type), n.path, n.span);
  return offset ? typed::make_constant(lang::make_uint64(), n.span, *offset) : unknown(n.span);
}

std::optional<std::uint64_t> BodyLowering::member_offset(Type type, const std::vector<std::string>& path, Span span) {
  std::uint64_t offset = 0;
  for (const std::string& name : path) {
    const auto field = find_member(type, name, span);
    if (!field) return std::nullopt;
    if (field->bit_size != 0) {
      report(Diag::InvalidOperand, span, fmt::format("{} is a bit field, which has no offset in bytes", name));
      return std::nullopt;
    }
    offset += field->offset;
    type = field->type;
  }
  return offset;
}

}  // namespace trc::ast
