// Leaves, tuples, records and blocks as values.
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/fold.h"
#include "ast/passes/lower.h"

namespace trc::ast {

using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

ValuePtr BodyLowering::raw(const Expr& e) {
  return std::visit([&](auto* n) { return lower(*n); }, e);
}

ValuePtr BodyLowering::no_void(ValuePtr value) {
  if (!value->type.is(TypeKind::Void)) return value;
  report(Diag::InvalidOperand, value->span, "this has no value");
  return unknown(value->span);
}

ValuePtr BodyLowering::operand(const Expr& e) { return as_integer(no_void(raw(e))); }

ValuePtr BodyLowering::place(const Expr& e) {
  ValuePtr value = no_void(raw(e));
  return value->type.is_aggregate() ? as_integer(std::move(value)) : std::move(value);
}

ValuePtr BodyLowering::as_integer(ValuePtr value) {
  value = loaded(std::move(value));
  if (!value->type.is_aggregate()) return value;
  const Type integer = readable_as(value->type);
  const Span span = value->span;
  if (integer.is(TypeKind::None)) {
    report(Diag::InvalidOperand, span, fmt::format("a value of type {} cannot be read in a program, only printed", lang::type_name(value->type)));
    return unknown(span);
  }
  auto& get = std::get<typed::MapGet>(value->op);
  return typed::make(integer, span, typed::MapGetAggregate{get.map, std::move(get.key)});
}

ValuePtr BodyLowering::condition(const Expr& e) {
  ValuePtr value = operand(e);
  if (!is_known(value)) return value;
  if (const auto* text = std::get_if<typed::StringConstant>(&value->op)) {
    return typed::make_constant(lang::make_bool(), value->span, !text->bytes.empty());
  }
  if (is_condition(value->type)) return to_bool(std::move(value));
  Diagnostic& diagnostic =
      report(Diag::InvalidOperand, value->span, fmt::format("a condition must be an integer, a pointer or a bool, found {}", lang::type_name(value->type)));
  if (value->type.is(lang::TypeKind::Record) && value->type.fields.size() == 1) diagnostic.with_hint("'==' compares; (name = value) is a record");
  return unknown(value->span);
}

ValuePtr BodyLowering::unknown(Span span) const { return typed::make_constant(Type{}, span, 0); }

ValuePtr BodyLowering::lower(const Integer& n) {
  if (n.suffix.empty()) return typed::make_constant(literal_type(n.value), n.span, n.value);
  // A suffix fixes the type, so the literal no longer takes that of its destination.
  const bool is_unsigned = n.suffix.find('u') != std::string::npos;
  const bool is_long = n.suffix.find('l') != std::string::npos;
  const Type type = is_unsigned && !is_long ? lang::make_integer(32, false) : lang::make_integer(64, !is_unsigned);
  return typed::make(type, n.span, typed::Convert{typed::make_constant(literal_type(n.value), n.span, n.value)});
}

ValuePtr BodyLowering::lower(const StringLiteral& n) {
  const std::uint32_t limit = shared_.input.settings.settings.max_strlen;
  if (n.value.size() > limit) {
    report(Diag::LimitExceeded, n.span, fmt::format("String is too long (over {} bytes): {}…", limit, n.value.substr(0, 32)))
        .with_hint("the limit is the config variable max_strlen");
    return unknown(n.span);
  }
  return typed::make(lang::make_string(static_cast<std::uint32_t>(n.value.size()) + 1), n.span, typed::StringConstant{n.value});
}

ValuePtr BodyLowering::lower(const BoolLiteral& n) { return typed::make_constant(lang::make_bool(), n.span, n.value); }

ValuePtr BodyLowering::lower(const Identifier& n) {
  if (n.name.empty()) return unknown(n.span);
  for (const Function* function : shared_.input.program.functions) {
    if (function->name != n.name) continue;
    report(Diag::UnknownIdentifier, n.span, fmt::format("{} is a function", n.name)).with_hint(fmt::format("call it: {}(…)", n.name));
    return unknown(n.span);
  }
  if (auto constant = constant_named(n.name, n.span)) return constant;
  return builtin(n.name, n.span, n.span, {}, false);
}

/// An enumerator or a macro; null if the name is neither. The script's own come before builtins, the kernel's behind: it has 20,000 names.
ValuePtr BodyLowering::constant_named(const std::string& name, Span span) {
  auto constant = shared_.input.types.find_own_constant(name);
  if (!constant && shared_.input.catalogue.find(row_name(name)).empty()) constant = shared_.input.types.find_constant(name);
  if (!constant) return nullptr;
  if (constant->type.is(TypeKind::None)) {
    return typed::make_constant(type_of(Literal{constant->bits, constant->is_negative}), span, constant->bits);
  }
  if (constant->type.is_string()) return typed::make(constant->type, span, typed::StringConstant{constant->text});
  return typed::make_constant(constant->type, span, constant->bits);
}

ValuePtr BodyLowering::lower(const Call& n) {
  const auto& functions = shared_.input.program.functions;
  for (std::uint32_t i = 0; i < functions.size(); ++i) {
    if (functions[i]->name == n.callee) return call_function(i, n);
  }
  return builtin(n.callee, n.callee_span, n.span, n.args, true);
}

ValuePtr BodyLowering::lower(const Variable& n) {
  const std::uint32_t index = variable_index(n.id);
  if (index == kNone || !variables_[index].is_known()) return unknown(n.span);
  return typed::make(settled(variables_[index]), n.span, typed::LoadSlot{index});
}

std::optional<std::string> BodyLowering::positional_text(std::uint32_t number) const {
  const auto& all = shared_.input.options.positionals;
  if (number == 0 || number > all.size()) return std::nullopt;
  return all[number - 1];
}

ValuePtr BodyLowering::lower(const Positional& n) {
  const auto text = positional_text(n.number);
  if (!text || text->empty()) {
    report(Diag::MissingParameter, n.span, fmt::format("Positional parameter ${} is empty or not provided.", n.number));
    return typed::make_constant(literal_type(0), n.span, 0);
  }
  if (auto number = parse_number(*text, n.span)) return std::move(*number);
  return typed::make(lang::make_string(static_cast<std::uint32_t>(text->size()) + 1), n.span, typed::StringConstant{*text});
}

ValuePtr BodyLowering::lower(const PositionalCount& n) {
  const std::uint64_t count = shared_.input.options.positionals.size();
  return typed::make_constant(literal_type(count), n.span, count);
}

ValuePtr BodyLowering::lower(const TupleExpr& n) {
  std::vector<ValuePtr> elements;
  std::vector<Type> types;
  bool all_known = true;
  for (const Expr& e : n.elements) {
    elements.push_back(operand(e));
    types.push_back(elements.back()->type);
    all_known = all_known && is_known(elements.back());
  }
  if (!all_known) return unknown(n.span);
  if (elements.empty()) return typed::make(lang::make_void(), n.span, typed::Sequence{});
  return typed::make(lang::make_tuple(std::move(types)), n.span, typed::MakeTuple{std::move(elements)});
}

ValuePtr BodyLowering::lower(const RecordExpr& n) {
  std::vector<ValuePtr> elements;
  std::vector<lang::Field> fields;
  bool all_known = true;
  for (const RecordField& field : n.fields) {
    for (const auto& other : fields) {
      if (other.name == field.name) report(Diag::Redeclared, field.name_span, "a record names each member once: " + field.name);
    }
    elements.push_back(operand(field.value));
    fields.push_back({.name = field.name, .type = elements.back()->type});
    all_known = all_known && is_known(elements.back());
  }
  if (!all_known) return unknown(n.span);
  return typed::make(lang::make_record(std::move(fields)), n.span, typed::MakeTuple{std::move(elements)});
}

ValuePtr BodyLowering::lower(const BlockExpr& n) { return block_value(*n.block); }

ValuePtr BodyLowering::block_value(const Block& block) {
  Statements before;
  for (const Stmt& s : block.statements) statement(s, before);
  if (!block.value) return typed::make(lang::make_void(), block.span, typed::Sequence{std::move(before), nullptr});
  ValuePtr value = raw(*block.value);
  if (value->type.is(TypeKind::Void)) {
    auto& inner = std::get<typed::Sequence>(value->op).before;
    std::move(inner.begin(), inner.end(), std::back_inserter(before));
    return typed::make(lang::make_void(), block.span, typed::Sequence{std::move(before), nullptr});
  }
  value = as_integer(std::move(value));
  if (before.empty() || !is_known(value)) return value;
  const Type type = value->type;
  return typed::make(type, block.span, typed::Sequence{std::move(before), std::move(value)});
}

Type BodyLowering::type_of_unused(const Expr& e) {
  ++unused_;
  Type type = raw(e)->type;
  --unused_;
  return type;
}

/// A bare identifier is a type name first, a value if there is no such type.
bool BodyLowering::names_builtin(const TypeName& type) const {
  return type.tag.empty() && type.suffixes.empty() && !type.of && !type.of_type && type.name != "string" && type.name != "buffer" &&
         !lang::find_named_type(type.name) && !shared_.input.catalogue.find(type.name).empty();
}

std::optional<Type> BodyLowering::type_of_operand(const TypeName* type, const std::optional<Expr>& operand) {
  if (!type) return type_of_unused(*operand);
  if (names_builtin(*type)) return builtin(type->name, type->span, type->span, {}, false)->type;
  return written_type(*type);
}

ValuePtr BodyLowering::lower(const SizeOf& n) {
  auto type = type_of_operand(n.type, n.operand);
  if (!type || type->is(TypeKind::None)) return unknown(n.span);
  type = shared_.input.types.resolved(std::move(*type));
  if (type->is(TypeKind::Struct) && type->definition == 0) {
    report(Diag::InvalidOperand, n.span, fmt::format("the size of '{}' is not known here", lang::type_name(*type)));
    return unknown(n.span);
  }
  const std::uint64_t size = type->is_aggregate() ? 8 : type->size;   // language.md §8.1: what scripts have always seen
  return typed::make_constant(lang::make_uint64(), n.span, size);
}

ValuePtr BodyLowering::lower(const TypeOf& n) {
  report(Diag::InvalidOperand, n.span, "typeof() is a type, which is no value").with_hint("typeinfo() tells about a type at run time");
  return unknown(n.span);
}

ValuePtr BodyLowering::lower(const TypeInfo& n) {
  if (!allows_unstable("typeinfo", n.span)) return unknown(n.span);
  const auto type = type_of_operand(n.type, n.operand);
  if (!type || type->is(TypeKind::None)) return unknown(n.span);
  auto text = [&](std::string bytes) {
    const Type string = lang::make_string(static_cast<std::uint32_t>(bytes.size()) + 1);
    return typed::make(string, n.span, typed::StringConstant{std::move(bytes)});
  };
  // What a script or a traced program defines has no id in the kernel's type information, nor have types without a definition.
  const types::DefinitionId definition = types::unpack(shared_.input.types.resolved(*type).definition);
  const bool is_of_kernel = definition.id != 0 && definition.source < types::ForeignTypes::kFirstSource;
  std::vector<ValuePtr> values;
  values.push_back(typed::make_constant(lang::make_uint64(), n.span, is_of_kernel ? definition.id : 0));
  values.push_back(text(lang::kind_name(type->kind)));
  values.push_back(text(lang::type_name(*type)));
  std::vector<lang::Field> fields{{.name = "btf_id", .type = values[0]->type}, {.name = "base_type", .type = values[1]->type},
                                  {.name = "full_type", .type = values[2]->type}};
  return typed::make(lang::make_record(std::move(fields)), n.span, typed::MakeTuple{std::move(values)});
}

// ---- what must be known when compiling ----

ValuePtr BodyLowering::lower(const Comptime& n) {
  ValuePtr value = operand(n.operand);
  if (!is_known(value)) return unknown(n.span);
  if (ValuePtr constant = evaluate(*value)) return constant;
  report(Diag::InvalidOperand, n.span, "this is not known when the script is compiled")
      .with_hint("comptime takes literals, sizeof, questions about types, config, probetype, parameters, and what can be computed from them");
  return unknown(n.span);
}

std::optional<bool> BodyLowering::comptime_condition(const Expr& e) {
  const ValuePtr test = condition(e);
  if (!is_known(test)) return std::nullopt;
  const ValuePtr constant = evaluate(*test);
  if (constant) return std::get<typed::Constant>(constant->op).bits != 0;
  report(Diag::InvalidOperand, span_of(e), "this is not known when the script is compiled")
      .with_hint("without comptime the condition is tested each time");
  return std::nullopt;
}

}  // namespace trc::ast
