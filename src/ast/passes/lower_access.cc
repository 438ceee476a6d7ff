// Reaching into values: members, elements, memory behind pointers; and casts.
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/fold.h"
#include "ast/passes/lower.h"
#include "base/strings.h"
#include "source/suggest.h"

namespace trc::ast {

using lang::AddressSpace;
using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

namespace {

bool is_word(std::uint32_t bytes) { return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8; }

constexpr std::uint32_t kWholeArray = 256;   // bytes: an element of an array up to this is taken from a copy, where a wrong index is noticed

}  // namespace

ValuePtr BodyLowering::context_value(const lang::ContextValue& value, Span span) {
  if (value.why_unreadable.empty()) return typed::make_context_value(value, span);
  report(Diag::NotAvailableHere, span, value.why_unreadable);
  return unknown(span);
}

/// args.name
ValuePtr BodyLowering::argument_member(const FieldAccess& n) {
  const lang::Context& context = plan_.context;
  if (plan_.is_broken) return unknown(n.span);
  const bool asks_facts = context.facts && !context.return_value;
  const std::vector<lang::ContextValue>& named = asks_facts ? context.facts->arguments() : context.named;
  if (named.empty() && context.refused_names.empty()) {
    const std::string why = asks_facts ? context.facts->why_no_arguments() : context.why_no_args.empty() ? fmt::format("{} probes have no args", plan_.provider) : context.why_no_args;
    Diagnostic& diagnostic = report(Diag::NotAvailableHere, n.span, why);
    if (!context.positional.empty() && !asks_facts) diagnostic.with_hint("use arg0, arg1, … instead");
    return unknown(n.span);
  }
  for (const auto& value : named) {
    if (value.name == n.field) return context_value(value, n.span);
  }
  for (const auto& refused : context.refused_names) {
    if (!n.field.starts_with(refused.prefix)) continue;
    report(Diag::NotAvailableHere, n.field_span, refused.why);
    return unknown(n.span);
  }
  std::vector<std::string> names;
  for (const auto& value : named) names.push_back(value.name);
  const std::string owner = plan_.specs.empty() ? std::string("args") : plan_.specs.front().text;
  Diagnostic& diagnostic = report(Diag::UnknownField, n.field_span,
                                  fmt::format("Struct/union of type 'struct {}_args' does not contain a field named '{}'", owner, n.field));
  if (!suggest(diagnostic, n.field_span, n.field, names)) {
    std::string all;
    for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
    diagnostic.with_hint("it has: " + all);
  }
  return unknown(n.span);
}

/// ctx.name in an iterator: what it has come to
ValuePtr BodyLowering::iterator_member(const FieldAccess& n) {
  std::vector<std::string> names;
  for (const auto& value : plan_.context.ctx_members) {
    if (value.name == n.field) return context_value(value, n.span);
    names.push_back(value.name);
  }
  const std::string near = nearest(n.field, names);
  report(Diag::UnknownField, n.field_span, fmt::format("Struct/union of type 'struct bpf_iter__{}' does not contain a field named '{}'", plan_.context.bound_to, n.field))
      .with_hint(near.empty() ? "it has: " + trc::join(names, ", ") : "did you mean " + near + "?");
  return unknown(n.span);
}

ValuePtr BodyLowering::lower(const FieldAccess& n) {
  if (const auto* identifier = std::get_if<Identifier*>(&n.base); identifier && (*identifier)->name == "args") return argument_member(n);
  const bool is_iterator = plan_.context.kind == lang::ProgramKind::Iterator;
  if (const auto* identifier = std::get_if<Identifier*>(&n.base); identifier && (*identifier)->name == "ctx" && is_iterator) return iterator_member(n);
  if (const auto found = context_place(&n)) {
    if (found->type.is_integer()) {
      return typed::make(found->type, n.span, typed::ReadContext{{.type = found->type, .source = lang::ContextSource{found->offset}}});
    }
    if (!found->type.is(TypeKind::None)) report(Diag::NotAvailableHere, n.span, "only numbers can be read from ctx");
    return unknown(n.span);
  }
  return member(pointed(n.base), n);
}

/// Where something is read through a pointer: what a user function returns is one then, of the type that its debug information says.
ValuePtr BodyLowering::pointed(const Expr& e) {
  ValuePtr value = place(e);
  const lang::Context& context = plan_.context;
  const auto* read = std::get_if<typed::ReadContext>(&value->op);
  if (!read || !context.facts || !context.return_value || !value->type.is_integer() || value->type.size != 8) return value;
  const auto* identifier = std::get_if<Identifier*>(&e);
  auto type = identifier && (*identifier)->name == "retval" ? context.facts->result() : std::nullopt;
  if (!type || !type->is(TypeKind::Pointer)) return value;
  type->space = context.space;
  return cast(std::move(value), *type, span_of(e));
}

ValuePtr BodyLowering::element_of_tuple(ValuePtr base, std::uint64_t index, Span span) {
  if (index >= base->type.fields.size()) {
    report(Diag::UnknownField, span,
           fmt::format("the index {} is out of bounds for tuple of size {}", index, base->type.fields.size()));
    return unknown(span);
  }
  const Type type = base->type.fields[index].type;
  return typed::make(type, span, typed::Member{std::move(base), static_cast<std::uint32_t>(index)});
}

ValuePtr BodyLowering::lower(const TupleAccess& n) {
  if (std::holds_alternative<ast::Integer*>(n.base)) {
    report(Diag::InvalidLiteral, n.span, "there are no numbers with a fraction").with_hint("count in a smaller unit: 1500ms for a second and a half");
    return unknown(n.span);
  }
  ValuePtr base = operand(n.base);
  if (!is_known(base)) return unknown(n.span);
  if (base->type.is(TypeKind::Tuple)) return element_of_tuple(std::move(base), n.index, n.span);
  report(Diag::InvalidOperand, n.span, fmt::format("a value of type '{}' has no numbered elements, only tuples do", lang::type_name(base->type)));
  return unknown(n.span);
}

ValuePtr BodyLowering::lower(const Index& n) {
  ValuePtr base = pointed(n.base);
  if (n.indexes.size() != 1) {
    report(Diag::InvalidOperand, n.span, "only maps take several keys");
    return unknown(n.span);
  }
  ValuePtr index = operand(n.indexes.front());
  if (!is_known(base) || !is_known(index)) return unknown(n.span);
  if (!index->type.is_integer()) {
    report(Diag::InvalidOperand, index->span, fmt::format("an index must be an integer, found {}", lang::type_name(index->type)));
    return unknown(n.span);
  }
  if (base->type.is(TypeKind::Tuple)) return index_tuple(std::move(base), std::move(index), n.span);
  if (base->type.is(TypeKind::Array) || base->type.is_string()) return index_array(std::move(base), std::move(index), n.span);
  if (base->type.is(TypeKind::Pointer)) {
    ValuePtr address = pointer_offset(std::move(base), std::move(index), false, n.span);
    return is_known(address) ? dereference(std::move(address), n.span) : std::move(address);
  }
  report(Diag::InvalidOperand, n.span, fmt::format("a value of type '{}' cannot be indexed", lang::type_name(base->type)));
  return unknown(n.span);
}

ValuePtr BodyLowering::index_tuple(ValuePtr base, ValuePtr index, Span span) {
  if (auto constant = constant_value(*index)) return element_of_tuple(std::move(base), constant->bits, span);
  report(Diag::InvalidOperand, index->span, "the index of a tuple must be a literal: its elements differ in type");
  return unknown(span);
}

/// A string is an array of int8 as long as its capacity.
ValuePtr BodyLowering::index_array(ValuePtr base, ValuePtr index, Span span) {
  const bool is_text = base->type.is_string();
  const Type element = is_text ? lang::make_integer(8, true) : base->type.element();
  const std::uint32_t count = is_text ? base->type.size : base->type.count;
  const bool is_open = count == 0 && std::holds_alternative<typed::Dereference>(base->op);   // a flexible array
  const auto constant = constant_value(*index);
  if (constant && constant->bits >= count && !is_open) {
    report(Diag::InvalidOperand, index->span, fmt::format("the index {} is out of bounds for {} of size {}", static_cast<std::int64_t>(constant->bits),
                                                          is_text ? "string" : "array", count));
    return unknown(span);
  }
  if (std::holds_alternative<typed::Dereference>(base->op)) {
    if (constant || element.is(TypeKind::Struct) || element.is(TypeKind::Array) || element.is_string() || base->type.size > kWholeArray || is_open) {
      return index_reference(std::move(base), std::move(index), span);
    }
    base = loaded(std::move(base));
  }
  if (const auto* text = std::get_if<typed::StringConstant>(&base->op); text && constant) {
    const std::int8_t letter = constant->bits < text->bytes.size() ? static_cast<std::int8_t>(text->bytes[constant->bits]) : std::int8_t{0};
    return typed::make_constant(element, span, static_cast<std::uint64_t>(std::int64_t{letter}));
  }
  return typed::make(element, span, typed::Element{std::move(base), widen_to_64(std::move(index))});
}

ValuePtr BodyLowering::dereference(ValuePtr address, Span span) {
  if (!is_known(address)) return unknown(span);
  if (address->type.is_integer() && address->type.space != AddressSpace::None) {   // of kaddr(): a word lies there
    const AddressSpace space = address->type.space;
    address = convert_to(convert_to(std::move(address), lang::make_uint64()), lang::make_pointer(lang::make_uint64(), space));
  }
  if (!address->type.is(TypeKind::Pointer)) {
    report(Diag::InvalidOperand, span, fmt::format("The * operator can not be used on expressions of type '{}'", lang::type_name(address->type)))
        .with_hint("cast it to a pointer first: *(uint64*)…");
    return unknown(span);
  }
  if (const auto* variable = std::get_if<typed::SlotAddress>(&address->op)) return typed::make(address->type.element(), span, typed::LoadSlot{variable->slot});
  Type pointee = address->type.element();
  const AddressSpace space = address->type.space;
  if (pointee.is(TypeKind::Struct)) pointee = shared_.input.types.resolved(std::move(pointee));
  if (pointee.is(TypeKind::Struct) && pointee.definition == 0) {
    const std::string why = shared_.input.types.why_no_kernel_types();
    report(Diag::UnknownIdentifier, span, fmt::format("'{}' is declared somewhere, but not what it has", lang::type_name(pointee)))
        .with_hint(why.empty() ? "neither the script nor the kernel defines it" : why + "; define it in the script");
    return unknown(span);
  }
  if (pointee.is(TypeKind::Void) || (pointee.size == 0 && !pointee.is(TypeKind::Struct))) {
    report(Diag::InvalidOperand, span, fmt::format("The * operator can not be used on expressions of type '{}'", lang::type_name(address->type)))
        .with_hint("cast it to a pointer to what is stored there");
    return unknown(span);
  }
  if (space == AddressSpace::None && unused_ == 0) {
    report(Diag::NotAvailableHere, span, "which address space? a pointer says kernel or user memory only in probes of one or the other")
        .with_hint("use kptr() or uptr()");
    return unknown(span);
  }
  give_space(pointee, space);
  return typed::make(pointee, span, typed::Dereference{std::move(address)});
}

ValuePtr BodyLowering::lower(const Cast& n) {
  const auto type = written_type(*n.type, true);
  ValuePtr value = operand(n.operand);
  if (!type || !is_known(value)) return unknown(n.span);
  return cast(std::move(value), *type, n.span);
}

ValuePtr BodyLowering::cast(ValuePtr value, Type type, Span span) {
  const Type from = value->type;
  const bool from_number = from.is_integer() || from.is(TypeKind::Bool) || from.is(TypeKind::Pointer);
  if (type.is(TypeKind::Pointer) && (from.is_integer() || from.is(TypeKind::Pointer))) {
    type.space = from.is_integer() && from.space == AddressSpace::None ? plan_.context.space : from.space;
    if (from.is_integer()) value = convert_to(widen_to_64(std::move(value)), lang::make_uint64());
    return typed::make(type, span, typed::Convert{std::move(value)});
  }
  if (const auto literal = literal_value(*value); literal && type.is_enumeration()) {
    if (!lang::enumerator_name(type, static_cast<std::int64_t>(literal->bits))) {
      std::string names;
      for (std::size_t i = 0; i < type.enumerators->size() && i < 8; ++i) names += (i ? ", " : "") + (*type.enumerators)[i].name;
      const std::string bare = type.name.substr(type.name.find(' ') + 1);
      report(Diag::InvalidOperand, span, fmt::format("Enum: {} doesn't contain a variant value of {}", bare, static_cast<std::int64_t>(literal->bits)))
          .with_hint("it has: " + names + (type.enumerators->size() > 8 ? ", …" : ""));
      return unknown(span);
    }
    return typed::make_constant(type, span, literal->bits);
  }
  if (type.is_integer() && from_number) return typed::make(type, span, typed::Convert{std::move(value)});
  if (type.is(TypeKind::Bool) && from_number) return to_bool(std::move(value));
  if (type.is(TypeKind::Bool) && from.is_string()) {
    ValuePtr length = typed::make(lang::make_uint64(), span, typed::StringLength{std::move(value)});
    return convert_to(std::move(length), type);
  }
  if (type.is_string() && from.is_string() && from.size <= type.size) return convert_to(std::move(value), type);
  if (type.is(TypeKind::Array) && (from.is_integer() || from.is_string())) return cast_to_array(std::move(value), std::move(type), span);
  if (type == from) return value;
  if (type.is_integer() && from.is(TypeKind::Array)) return cast_from_array(std::move(value), std::move(type), span);
  return cannot_cast(from, type, span);
}

ValuePtr BodyLowering::cannot_cast(const Type& from, const Type& to, Span span, std::string hint) {
  Diagnostic& diagnostic = report(Diag::InvalidOperand, span, fmt::format("Cannot cast from '{}' to '{}'", lang::type_name(from), lang::type_name(to)));
  if (!hint.empty()) diagnostic.with_hint(std::move(hint));
  return unknown(span);
}

/// The bytes of a number, in the machine's order, or of a text with its NUL. A number that is narrower is extended by its sign (DB-8), a text by NULs.
ValuePtr BodyLowering::cast_to_array(ValuePtr value, Type type, Span span) {
  const Type from = value->type;
  const Type element = type.element();
  if (!element.is_integer() || (from.is_string() && element.size != 1)) return cannot_cast(from, type, span);
  if (type.count == 0) {
    if (from.size % element.size != 0) return cannot_cast(from, type, span, fmt::format("{} bytes are no whole number of elements", from.size));
    type = lang::make_array(element, from.size / element.size);
  }
  if (from.size > type.size) {
    return cannot_cast(from, type, span, fmt::format("it has {} bytes and the array {}", from.size, type.size));
  }
  if (from.is_string()) return typed::make(std::move(type), span, typed::Convert{std::move(value)});
  if (!is_word(type.size)) return cannot_cast(from, type, span, fmt::format("a number has 1, 2, 4 or 8 bytes, the array {}", type.size));
  value = convert_to(std::move(value), lang::make_integer(type.size * 8, from.is_signed));
  return typed::make(std::move(type), span, typed::Convert{std::move(value)});
}

ValuePtr BodyLowering::cast_from_array(ValuePtr value, Type type, Span span) {
  const Type from = value->type;
  if (!from.element().is_integer()) return cannot_cast(from, type, span);
  if (from.size != type.size) return cannot_cast(from, type, span, fmt::format("the array has {} bytes and the number {}", from.size, type.size));
  return typed::make(std::move(type), span, typed::Convert{std::move(value)});
}

}  // namespace trc::ast
