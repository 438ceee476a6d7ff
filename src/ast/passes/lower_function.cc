// Functions of the script (language.md §15.2): typed by what is written, called by name, compiled to BPF subprograms.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/lower.h"

namespace trc::ast {

using lang::Type;
using lang::TypeKind;
using typed::make_statement;
using typed::ValuePtr;

namespace {

// The kernel passes five arguments in registers; a result in memory takes one.
constexpr std::size_t kMaxParameters = 5;

bool is_scalar(const Type& type) { return type.is_integer() || type.is(TypeKind::Bool) || type.is(TypeKind::Pointer); }

/// What reads the context of the probe, which a subprogram does not get.
constexpr std::string_view kContextBuiltins[] = {"args", "ctx", "func", "kstack", "ustack", "dw_ustack", "probe", "probetype", "reg", "retval", "usermode"};

bool wants_context(const std::string& name) {
  const bool is_argument = name.size() > 3 && name.starts_with("arg") && name.find_first_not_of("0123456789", 3) == std::string::npos;
  return is_argument || std::find(std::begin(kContextBuiltins), std::end(kContextBuiltins), name) != std::end(kContextBuiltins);
}

}  // namespace

bool BodyLowering::refuse_in_function(const std::string& builtin, Span span) {
  if (!function_ || !wants_context(builtin)) return false;
  report(Diag::NotAvailableHere, span, fmt::format("{} belongs to a probe; the function {} may be called by many", builtin, function_->name))
      .with_hint("pass it as an argument");
  return true;
}

void BodyLowering::lower(const Function& function, typed::Function& into) {
  function_ = &function;
  into.span = function.span;
  into.parameters = static_cast<std::uint32_t>(function.parameters.size());
  const auto result = written_type(*function.result);
  if (result) function_result_ = *result;
  const bool in_memory = result && !result->is(TypeKind::Void) && !is_scalar(*result);
  if (result && in_memory && !result->is_string()) {
    report(Diag::InvalidOperand, function.result->span, fmt::format("a function cannot return '{}', only integers, bools, pointers and strings", lang::type_name(*result)));
  }
  if (function.parameters.size() + (in_memory ? 1 : 0) > kMaxParameters) {
    report(Diag::LimitExceeded, function.span, fmt::format("a function takes at most {} parameters, one less when it returns a string", kMaxParameters))
        .with_hint("several values fit into one map, or into calls of several functions");
  }
  for (std::size_t i = 0; i < function.parameters.size(); ++i) {
    const TypeName& written = *function.parameters[i].type;
    const auto type = written_type(written);
    if (!type) continue;
    if (!is_scalar(*type) && !type->is_string()) {
      report(Diag::InvalidOperand, written.span, fmt::format("a parameter cannot be of type '{}', only an integer, bool, pointer or string", lang::type_name(*type)));
      continue;
    }
    variables_[i] = shape_of(*type);
    variables_[i].is_declared = true;
    if (type->is(TypeKind::Pointer)) variables_[i].type.space = pointer_space(function, i);
  }
  if (in_memory) result_slot_ = temporary(function_result_);
  into.result = function_result_;
  into.result_slot = result_slot_.value_or(0);
  statements(*function.body, into.code.body);
}

void BodyLowering::return_from_function(const Return& n, Statements& out) {
  const bool is_void = function_result_.is(TypeKind::Void);
  if (!n.value) {
    if (!is_void) report(Diag::TypeMismatch, n.span, fmt::format("the function {} returns '{}'", function_->name, lang::type_name(function_result_)));
    out.push_back(make_statement(n.span, typed::Return{}));
    return;
  }
  ValuePtr value = operand(*n.value);
  if (!is_known(value) || function_result_.is(TypeKind::None)) return;   // the type of the result was reported
  Shape shape = shape_of(function_result_);
  shape.is_declared = true;
  if (is_void) {
    report(Diag::TypeMismatch, value->span, fmt::format("the function {} returns nothing, found '{}'", function_->name, lang::type_name(value->type)));
    return;
  }
  value = fit(shape, std::move(value), "the result of " + function_->name, "function", value->span);
  if (!is_known(value)) return;
  if (result_slot_) {
    out.push_back(make_statement(n.span, typed::StoreSlot{*result_slot_, std::move(value)}));
    out.push_back(make_statement(n.span, typed::Return{}));
  } else {
    out.push_back(make_statement(n.span, typed::Return{std::move(value)}));
  }
}

/// The address space that the pointers have which a parameter is called with.
lang::AddressSpace BodyLowering::pointer_space(const Function& function, std::size_t parameter) const {
  const auto found = shared_.pointer_spaces.find({&function, parameter});
  return found == shared_.pointer_spaces.end() ? lang::AddressSpace::None : found->second;
}

/// A pointer as the parameter wants it: void * takes all. All calls must agree on the address space, for the function is compiled once.
ValuePtr BodyLowering::pass_pointer(const Function& function, std::size_t parameter, Type type, ValuePtr value, Span span) {
  if (value->type.space != lang::AddressSpace::None) {
    const auto [it, is_new] = shared_.pointer_spaces.try_emplace({&function, parameter}, value->type.space);
    if (is_new) shared_.changed = true;
    if (it->second != value->type.space) {
      report(Diag::TypeMismatch, span, fmt::format("${} of {} points into kernel memory in one call and into user memory in another", function.parameters[parameter].name,
                                                   function.name))
          .with_hint("write a function for each");
      return unknown(span);
    }
  }
  type.space = pointer_space(function, parameter);
  if (type.element().is(TypeKind::Void) || type.element() == value->type.element()) return convert_to(std::move(value), type);
  return value;   // reported by fit()
}

ValuePtr BodyLowering::call_function(std::uint32_t index, const Call& call) {
  const Function& function = *shared_.input.program.functions[index];
  if (call.args.size() != function.parameters.size()) {
    std::string form;
    for (const FunctionParameter& p : function.parameters) form += (form.empty() ? "$" : ", $") + p.name;
    report(Diag::ArgumentCount, call.callee_span, fmt::format("{}() takes {} arguments ({} provided)", function.name, function.parameters.size(), call.args.size()))
        .with_hint(fmt::format("defined as {}({})", function.name, form));
    return unknown(call.span);
  }
  std::vector<ValuePtr> args;
  bool all_known = true;
  for (std::size_t i = 0; i < call.args.size(); ++i) {
    const auto type = written_type(*function.parameters[i].type);
    ValuePtr value = operand(call.args[i]);
    if (!type) return unknown(call.span);
    Shape shape = shape_of(*type);
    shape.is_declared = true;
    if (is_known(value) && type->is(TypeKind::Pointer) && value->type.is(TypeKind::Pointer)) {
      value = pass_pointer(function, i, *type, std::move(value), span_of(call.args[i]));
      shape.type.space = pointer_space(function, i);
    }
    value = fit(shape, std::move(value), "$" + function.parameters[i].name, "parameter", span_of(call.args[i]));
    all_known = all_known && is_known(value);
    args.push_back(std::move(value));
  }
  const auto result = written_type(*function.result);
  if (!result || !all_known) return unknown(call.span);
  if (!result->is(TypeKind::Void)) return typed::make(*result, call.span, typed::CallFunction{index, std::move(args)});
  Statements only;
  only.push_back(make_statement(call.span, typed::Evaluate{typed::make(lang::make_uint64(), call.span, typed::CallFunction{index, std::move(args)})}));
  return typed::make(lang::make_void(), call.span, typed::Sequence{std::move(only), nullptr});
}

}  // namespace trc::ast
