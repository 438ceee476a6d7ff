// What is answered while a script is compiled: its types, its settings, its parameters; and what stops it from compiling.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "base/strings.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::BuiltinForm;
using lang::BuiltinSpec;
using lang::Param;
using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

ValuePtr string_constant(std::string text, Span span) {
  const Type type = lang::make_string(static_cast<std::uint32_t>(text.size()) + 1);
  return typed::make(type, span, typed::StringConstant{std::move(text)});
}

// ---- questions about types ----

using Question = bool (*)(const Type&);

template <Question question>
void lower_question(CallLowering& call) {
  if (const auto type = call.argument_type(0)) call.result(typed::make_constant(lang::make_bool(), call.span(), question(*type)));
}

bool is_array(const Type& type) { return type.is(TypeKind::Array); }
bool is_integer(const Type& type) { return type.is_integer(); }
bool is_unsigned(const Type& type) { return type.is_integer() && !type.is_signed; }
bool is_pointer(const Type& type) { return type.is(TypeKind::Pointer); }
bool is_string(const Type& type) { return type.is_string(); }

void lower_is_literal(CallLowering& call) {
  const ValuePtr value = call.raw_argument(0);
  if (!value) return;
  const bool is_literal = std::holds_alternative<typed::Constant>(value->op) || std::holds_alternative<typed::StringConstant>(value->op);
  call.result(typed::make_constant(lang::make_bool(), call.span(), is_literal));
}

void lower_assert_str(CallLowering& call) {
  const auto type = call.argument_type(0);
  if (type && !type->is_string()) {
    call.report(Diag::StaticAssertion, call.argument_span(0), fmt::format("this must be a string, it is of type {}", lang::type_name(*type)));
  }
}

void lower_default_length(CallLowering& call) {
  call.result(typed::make_constant(lang::make_uint64(), call.span(), call.surroundings().max_strlen));
}

// ---- structures ----

/// a, a.b, a.b.c: names of members.
bool member_path(const ast::Expr& e, std::vector<std::string>& path) {
  if (const auto* identifier = std::get_if<ast::Identifier*>(&e)) {
    path.push_back((*identifier)->name);
    return true;
  }
  const auto* access = std::get_if<ast::FieldAccess*>(&e);
  if (!access || (*access)->arrow || !member_path((*access)->base, path)) return false;
  path.push_back((*access)->field);
  return true;
}

/// container_of(pointer, typeof(T), member): where the T begins whose member the pointer points to.
void lower_container_of(CallLowering& call) {
  ValuePtr pointer = call.argument(0);
  const auto type = call.argument_type(1);
  std::vector<std::string> path;
  if (!member_path(call.argument_expr(2), path)) {
    call.report(Diag::ArgumentType, call.argument_span(2), "container_of() expects the name of a member as its third argument").with_hint("for example: container_of($p, typeof(struct task_struct), tasks)");
    return;
  }
  if (!pointer || !type) return;
  const auto offset = call.member_offset(*type, path, call.argument_span(2));
  if (!offset) return;
  const Type wide = lang::make_uint64();
  const lang::AddressSpace space = pointer->type.space != lang::AddressSpace::None ? pointer->type.space : call.surroundings().context->space;
  ValuePtr start = typed::make_binary(typed::BinaryOp::Subtract, wide, call.span(), call.convert(std::move(pointer), wide),
                                      typed::make_constant(wide, call.span(), *offset));
  call.result(call.convert(std::move(start), lang::make_pointer(*type, space)));
}

// ---- stopping the compiler ----

void lower_fail(CallLowering& call) {
  if (const auto message = call.literal_string(0)) call.report(Diag::StaticAssertion, call.span(), *message);
}

void lower_static_assert(CallLowering& call) {
  const auto holds = call.literal_condition(0);
  const auto message = call.literal_string(1);
  if (holds && message && !*holds) call.report(Diag::StaticAssertion, call.span(), "static assertion failed: " + *message);
}

// ---- functions of the kernel ----

template <std::function<bool(const std::string&)> CallLowering::Surroundings::*question>
void lower_kernel_question(CallLowering& call) {
  const auto name = call.literal_string(0);
  if (!name) return;
  const auto& ask = call.surroundings().*question;
  call.result(typed::make_constant(lang::make_bool(), call.span(), ask && ask(*name)));
}

// ---- the settings ----

ValuePtr constant_of(const ast::SettingValue& value, Span span) {
  if (const auto* text = std::get_if<std::string>(&value)) return string_constant(*text, span);
  if (const auto* flag = std::get_if<bool>(&value)) return typed::make_constant(lang::make_bool(), span, *flag);
  return typed::make_constant(lang::make_uint64(), span, std::get<std::uint64_t>(value));
}

void lower_config(CallLowering& call) {
  std::vector<lang::Field> fields;
  std::vector<ValuePtr> values;
  for (const ast::Setting& setting : *call.surroundings().settings) {
    values.push_back(constant_of(setting.value, call.span()));
    fields.push_back({.name = std::string(setting.key), .type = values.back()->type});
  }
  call.result(typed::make(lang::make_record(std::move(fields)), call.span(), typed::MakeTuple{std::move(values)}));
}

// ---- named parameters ----

std::optional<bool> truth_of(const std::string& text) {
  static constexpr std::string_view kTrue[] = {"", "1", "true", "on", "yes"}, kFalse[] = {"0", "false", "off", "no"};
  const std::string word = to_lower(text);
  if (std::find(std::begin(kTrue), std::end(kTrue), word) != std::end(kTrue)) return true;
  if (std::find(std::begin(kFalse), std::end(kFalse), word) != std::end(kFalse)) return false;
  return std::nullopt;
}

/// The text as the type of the default value; null after a report.
ValuePtr parse_parameter(CallLowering& call, const std::string& name, const std::string& text, const Type& type) {
  auto refuse = [&](std::string_view expected) {
    call.report(Diag::InvalidParameter, call.span(), fmt::format("--{} expects {}, found '{}'", name, expected, text));
    return nullptr;
  };
  if (type.is_string()) return string_constant(text, call.span());
  if (type.is(TypeKind::Bool)) {
    const auto truth = truth_of(text);
    return truth ? typed::make_constant(type, call.span(), *truth) : refuse("true or false");
  }
  auto number = ast::parse_number(text, call.span());
  if (!number || (!(*number)->type.is_signed && type.is_signed)) return refuse("an integer");
  return call.convert(std::move(*number), type);
}

/// The default decides the type; ast/passes/parameters.cc has checked that calls of one name agree and which names there are.
void lower_getopt(CallLowering& call) {
  const auto name = call.literal_string(0);
  if (!name) return;
  ValuePtr fallback = call.argument_count() > 1 ? call.raw_argument(1) : typed::make_constant(lang::make_bool(), call.span(), 0);
  if (!fallback) return;
  const bool is_text = std::holds_alternative<typed::StringConstant>(fallback->op);
  const bool is_number = std::holds_alternative<typed::Constant>(fallback->op) && (fallback->type.is_integer() || fallback->type.is(TypeKind::Bool));
  if (!is_text && !is_number) {
    call.report(Diag::ArgumentType, call.argument_span(1), "the default value of getopt() must be a literal integer, bool or string");
    return;
  }
  if (call.argument_count() > 2 && !call.literal_string(2)) return;
  if (fallback->type.is_integer()) {
    const bool is_large = !fallback->type.is_signed;
    fallback = call.convert(std::move(fallback), is_large ? lang::make_uint64() : lang::make_int64());
  }
  const auto& given = *call.surroundings().named_parameters;
  const auto it = given.find(*name);
  if (it != given.end()) fallback = parse_parameter(call, *name, it->second, fallback->type);
  if (!fallback) return;
  // Not a literal for those who ask: another value must not make a script mean something else.
  const Type type = fallback->type;
  if (type.is_integer()) fallback = typed::make(type, call.span(), typed::Convert{std::move(fallback)});
  call.result(std::move(fallback));
}

constexpr Param kAnything[] = {{.name = "value", .type = "any"}};
constexpr Param kMessage[] = {{.name = "message", .type = "literal string"}};
constexpr Param kAssertion[] = {{.name = "condition", .type = "any"}, {.name = "message", .type = "literal string"}};
constexpr Param kContainerOf[] = {{.name = "pointer", .type = "address"}, {.name = "type", .type = "any"}, {.name = "member", .type = "name"}};
constexpr Param kGetopt[] = {{.name = "name", .type = "literal string"},
                             {.name = "default", .type = "any", .optional = true},
                             {.name = "description", .type = "literal string", .optional = true}};

constexpr Param kFunction[] = {{.name = "function", .type = "literal string"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "kfunc_exist", .params = kFunction, .result = "bool", .lower = lang::Custom{lower_kernel_question<&CallLowering::Surroundings::has_kernel_function>},
     .doc = "Whether the kernel's type information has a function of this name; for `if comptime`.",
     .example = "begin { if comptime (kfunc_exist(\"no_such_function\")) { print(1); } else { print(2); } }", .prints = "2"},
    {.name = "kfunc_allowed", .params = kFunction, .result = "bool", .lower = lang::Custom{lower_kernel_question<&CallLowering::Surroundings::allows_kfunc>},
     .doc = "Whether the kernel lets programs of this kind of probe call a function of its own; for `if comptime`.",
     .example = "begin { print(kfunc_allowed(\"vfs_read\")); }", .prints = "false"},
    {.name = "is_array", .params = kAnything, .result = "bool", .lower = lang::Custom{lower_question<is_array>},
     .doc = "Whether the value, or the type in typeof(), is an array.", .example = "begin { print(is_array(1)); }", .prints = "false"},
    {.name = "is_integer", .params = kAnything, .result = "bool", .lower = lang::Custom{lower_question<is_integer>},
     .doc = "Whether the value, or the type in typeof(), is an integer.", .example = "begin { print(is_integer(1)); }", .prints = "true"},
    {.name = "is_unsigned_integer", .params = kAnything, .result = "bool", .lower = lang::Custom{lower_question<is_unsigned>},
     .doc = "Whether the value, or the type in typeof(), is an integer without a sign.", .example = "begin { print(is_unsigned_integer(pid)); }", .prints = "true"},
    {.name = "is_ptr", .params = kAnything, .result = "bool", .lower = lang::Custom{lower_question<is_pointer>},
     .doc = "Whether the value, or the type in typeof(), is a pointer.", .example = "begin { print(is_ptr(curtask)); }", .prints = "true"},
    {.name = "is_str", .params = kAnything, .result = "bool", .lower = lang::Custom{lower_question<is_string>},
     .doc = "Whether the value, or the type in typeof(), is a string.", .example = "begin { print(is_str(comm)); }", .prints = "true"},
    {.name = "is_literal", .params = kAnything, .result = "bool", .lower = lang::Custom{lower_is_literal},
     .doc = "Whether the value is known when compiling.", .example = "begin { print(is_literal(1 + 2)); }", .prints = "true"},
    {.name = "assert_str", .params = kAnything, .result = "void", .lower = lang::Custom{lower_assert_str},
     .doc = "Stops the compiler unless the value is a string.", .example = "begin { assert_str(comm); }"},
    {.name = "default_str_length", .result = "uint64", .lower = lang::Custom{lower_default_length},
     .doc = "The setting max_strlen.", .example = "begin { print(default_str_length()); }", .prints = "1024"},
    {.name = "container_of", .params = kContainerOf, .result = "", .lower = lang::Custom{lower_container_of},
     .doc = "The structure that has a member where a pointer points to: container_of(pointer, typeof(struct T), member).",
     .example = "struct item { long id; int link; } begin { print(container_of((int32*)kptr(0x1008), typeof(struct item), link)); }", .prints = "0x1000"},
    {.name = "fail", .params = kMessage, .result = "void", .lower = lang::Custom{lower_fail},
     .doc = "Stops the compiler with a message, where `if comptime` has not removed it.", .example = "begin { if comptime (false) { fail(\"never\"); } }"},
    {.name = "static_assert", .params = kAssertion, .result = "void", .lower = lang::Custom{lower_static_assert},
     .doc = "Stops the compiler with a message unless the condition holds.", .example = "begin { static_assert(sizeof(int64) == 8, \"odd\"); }"},
    {.name = "config", .form = BuiltinForm::Value, .result = "", .lower = lang::Custom{lower_config},
     .doc = "The settings in force, as a record.", .example = "begin { print(config.max_strlen); }", .prints = "1024"},
    {.name = "getopt", .params = kGetopt, .result = "", .lower = lang::Custom{lower_getopt},
     .doc = "A named parameter, given behind -- as --name=value; without one the default value, which decides the type (bool when there is none).",
     .example = "begin { print(getopt(\"limit\", 10, \"how many\")); }", .prints = "10"},
};

}  // namespace

std::span<const BuiltinSpec> compile_time_builtins() { return kRows; }

}  // namespace trc::builtins
