#include "ast/passes/lower_call.h"

#include <algorithm>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/fold.h"
#include "base/assert.h"
#include "base/strings.h"
#include "source/suggest.h"

namespace trc::ast {

using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

namespace {

struct ParameterWord {
  std::string_view word;
  std::string_view expects;   // in "expects …"
};
constexpr ParameterWord kWords[] = {{"any", "a value"},
                                    {"int", "an integer"},
                                    {"string", "a string"},
                                    {"pointer", "a pointer"},
                                    {"address", "an address"},
                                    {"literal int", "a literal integer"},
                                    {"literal string", "a literal string"},
                                    {"map", "a map"},
                                    {"map element", "a map element"},
                                    {"map or stack", "a map, ustack, or kstack"},
                                    {"key", "a key"},
                                    {"printable", "a value or a map"},
                                    {"stack", "a stack"},
                                    {"variable", "a variable"},
                                    {"name", "a name"}};

std::string ordinal(std::size_t i) {
  static constexpr std::string_view kFirst[] = {"first", "second", "third", "fourth", "fifth"};
  return i < std::size(kFirst) ? std::string(kFirst[i]) : fmt::format("{}th", i + 1);
}

struct Arity {
  std::size_t least = 0, most = 0;
  bool is_open = false;
};

Arity arity(const lang::BuiltinSpec& row) {
  Arity result;
  for (const lang::Param& param : row.params) {
    if (!param.optional) ++result.least;
    ++result.most;
    result.is_open = result.is_open || param.repeated;
  }
  return result;
}

bool accepts(const lang::BuiltinSpec& row, std::size_t count) {
  const Arity a = arity(row);
  return count >= a.least && (a.is_open || count <= a.most);
}

std::string arity_message(const lang::BuiltinSpec& row, std::size_t count) {
  const Arity a = arity(row);
  auto plural = [](std::size_t n) { return n == 1 ? std::string("one argument") : fmt::format("{} arguments", n); };
  std::string wanted;
  if (count < a.least) {
    wanted = a.is_open || a.most > a.least ? "requires at least " + plural(a.least) : "requires " + plural(a.least);
  } else if (a.most == 0) {
    wanted = "requires no arguments";
  } else {
    wanted = a.least == a.most ? "requires " + plural(a.least) : "takes up to " + plural(a.most);
  }
  return fmt::format("{}() {} ({} provided)", row.name, wanted, count);
}

/// "lhist(value, min, max, step)": the parameters that may be left out in [].
std::string form_text(const lang::BuiltinSpec& row) {
  std::string out;
  for (const lang::Param& parameter : row.params) {
    out += fmt::format("{}{}{}{}{}", out.empty() ? "" : ", ", parameter.optional ? "[" : "", parameter.name, parameter.optional ? "]" : "",
                       parameter.repeated ? ", …" : "");
  }
  return fmt::format("{}({})", row.name, out);
}

std::string forms_text(const std::vector<const lang::BuiltinSpec*>& rows) {
  std::string out;
  for (const lang::BuiltinSpec* row : rows) out += (out.empty() ? "" : ", ") + form_text(*row);
  return out;
}

struct WordRow { std::string_view word, instead; };
/// What other languages say, and what is said here.
constexpr WordRow kForeignValues[] = {{"NULL", "0"}, {"null", "0"}, {"None", "0"}, {"nil", "0"}, {"nullptr", "0"}, {"True", "true"}, {"False", "false"},
                                      {"TRUE", "true"}, {"FALSE", "false"}, {"execname", "comm"}, {"timestamp", "nsecs"}, {"pp", "probe"}};
constexpr WordRow kForeignFunctions[] = {{"stringof", "str"}, {"copyinstr", "str"}, {"copyin", "buf"}, {"quantize", "hist"}, {"lquantize", "lhist"},
                                         {"printa", "print"}, {"stack", "kstack"}, {"trace", "print"}, {"println", "print"}, {"strcmp", "strncmp"}};

}  // namespace

/// What an unknown name may have been meant as.
void BodyLowering::explain_unknown(Diagnostic& diagnostic, const std::string& name, Span span, bool is_called) {
  const std::span<const WordRow> foreign = is_called ? std::span<const WordRow>(kForeignFunctions) : kForeignValues;
  const auto row = std::find_if(foreign.begin(), foreign.end(), [&](const WordRow& r) { return r.word == name; });
  if (row != foreign.end()) {
    diagnostic.with_hint(fmt::format("here it is called {}", row->instead));
    if (!is_called) diagnostic.with_edit(span, std::string(row->instead));
    return;
  }
  for (const VariableInfo& variable : shared_.input.names.probes[plan_.probe_index].variables) {
    if (is_called || variable.name != name) continue;
    diagnostic.with_hint(fmt::format("did you mean the variable ${}?", name)).with_edit(span, "$" + name);
    return;
  }
  std::vector<std::string> known = shared_.input.catalogue.names();
  std::replace(known.begin(), known.end(), std::string("argN"), std::string("arg0"));
  if (suggest(diagnostic, span, name, known) || is_called) return;
  diagnostic.with_hint(fmt::format("a text stands in double quotes (\"{0}\"), a variable begins with '$', a map with '@'", name));
}

std::string row_name(const std::string& name) {
  const bool is_argument = name.size() > 3 && name.starts_with("arg") && std::all_of(name.begin() + 3, name.end(), is_digit);
  return is_argument ? "argN" : name;
}

bool is_parameter_word(std::string_view word) {
  return std::any_of(std::begin(kWords), std::end(kWords), [&](const auto& row) { return row.word == word; });
}

std::optional<Type> result_type(std::string_view name) {
  if (name.starts_with("string[") && name.ends_with(']')) {
    const auto capacity = parse_unsigned(name.substr(7, name.size() - 8));
    return capacity ? std::optional(lang::make_string(static_cast<std::uint32_t>(*capacity))) : std::nullopt;
  }
  return lang::find_named_type(name);
}

// ---- finding the row ----

const lang::BuiltinSpec* BodyLowering::find_builtin(const std::string& name, Span name_span, std::size_t args, bool has_parentheses) {
  const auto rows = shared_.input.catalogue.find(row_name(name));
  if (rows.empty()) {
    Diagnostic& diagnostic = has_parentheses ? report(Diag::UnknownFunction, name_span, "Unknown function: " + name)
                                             : report(Diag::UnknownIdentifier, name_span, "Unknown identifier: " + name);
    explain_unknown(diagnostic, name, name_span, has_parentheses);
    return nullptr;
  }
  const auto fits = std::find_if(rows.begin(), rows.end(), [&](const auto* row) { return accepts(*row, args); });
  const lang::BuiltinSpec* row = fits == rows.end() ? rows.front() : *fits;
  if (row->form != lang::BuiltinForm::Value && !has_parentheses) {
    const bool needs_none = arity(*row).least == 0;
    Diagnostic& diagnostic = report(Diag::UnknownIdentifier, name_span, fmt::format("{} is a function", name));
    diagnostic.with_hint(fmt::format("call it: {}({})", name, needs_none ? "" : "…"));
    if (needs_none) diagnostic.with_edit({name_span.file, name_span.end, name_span.end, name_span.expansion}, "()");
    return nullptr;
  }
  if (fits == rows.end()) {
    report(Diag::ArgumentCount, name_span, arity_message(*row, args)).with_hint("its forms: " + forms_text(rows));
    return nullptr;
  }
  return row;
}

/// What may still change in the established language is said, or refused, as the settings have it.
bool BodyLowering::allows_unstable(std::string_view feature, Span span) {
  const Options& options = shared_.input.settings;
  struct Feature { std::string_view name; const std::string& allowed; std::string_view setting; };
  const Feature features[] = {{"tseries", options.unstable_tseries, "unstable_tseries"},
                              {"dw_ustack", options.unstable_dw_ustack, "unstable_dw_ustack"},
                              {"typeinfo", options.unstable_typeinfo, "unstable_typeinfo"}};
  for (const Feature& row : features) {
    if (row.name != feature) continue;
    if (row.allowed == "error") {
      report(Diag::InvalidOperand, span, fmt::format("{}() is an unstable feature", feature)).with_hint(fmt::format("allow it: config = {{ {} = enable }}", row.setting));
      return false;
    }
    if (row.allowed == "warn") {
      report(Diag::UnstableFeature, span, fmt::format("Script is using an unstable feature: {}()", feature))
          .with_hint(fmt::format("config = {{ {} = enable }} says that it is meant", row.setting));
    }
  }
  return true;
}

const lang::BuiltinSpec* BodyLowering::aggregate_call(const Expr& e) const {
  const auto* call = std::get_if<Call*>(&e);
  if (!call) return nullptr;
  for (const auto* row : shared_.input.catalogue.find((*call)->callee)) {
    if (row->form == lang::BuiltinForm::Aggregate && accepts(*row, (*call)->args.size())) return row;
  }
  return nullptr;
}

ValuePtr BodyLowering::builtin(const std::string& name, Span name_span, Span span, const std::vector<Expr>& args, bool has_parentheses) {
  if (refuse_in_function(name, name_span)) return unknown(span);
  const lang::BuiltinSpec* row = find_builtin(name, name_span, args.size(), has_parentheses);
  if (!row || !allows_unstable(name, name_span)) return unknown(span);
  if (row->form == lang::BuiltinForm::Aggregate) {
    report(Diag::InvalidAssignment, span, fmt::format("{}() must be assigned directly to a map", name)).with_hint(fmt::format("for example: @{} = {}(…);", name, name));
    return unknown(span);
  }
  CallOfBuiltin call(*this, *row, name, span, args);
  call.run();
  return call.take_value();
}

// ---- one call ----

void CallOfBuiltin::run() {
  if (!row_.unsafe.empty() && !surroundings().unsafe) {
    report(Diag::Unsafe, span_, fmt::format("{}() is an unsafe function being used in safe mode", name_))
        .with_hint(fmt::format("it {}; --unsafe allows that", row_.unsafe));
    return;
  }
  if (const auto* custom = std::get_if<lang::Custom>(&row_.lower)) {
    custom->lower(*this);
  } else {
    lower_plainly();
  }
}

void CallOfBuiltin::lower_plainly() {
  std::vector<ValuePtr> values;
  for (std::size_t i = 0; i < args_.size(); ++i) values.push_back(argument(i));
  if (std::any_of(values.begin(), values.end(), [](const auto& v) { return v == nullptr; })) return;
  const Type type = result_type(row_.result).value();
  const Type wide = lang::make_uint64();
  ValuePtr value;
  if (const auto* helper = std::get_if<lang::HelperCall>(&row_.lower)) {
    value = typed::make(wide, span_, typed::CallHelper{helper->id, std::move(values), false});
    if (helper->shift != 0) {
      value = typed::make_binary(typed::BinaryOp::ShiftRightLogical, wide, span_, std::move(value),
                                 typed::make_constant(wide, span_, static_cast<std::uint64_t>(helper->shift)));
    }
    if (helper->mask != ~std::uint64_t{0}) {
      value = typed::make_binary(typed::BinaryOp::And, wide, span_, std::move(value), typed::make_constant(wide, span_, helper->mask));
    }
    value = convert_to(std::move(value), type);
  } else {
    value = typed::make(type, span_, typed::CallStdlib{std::string(std::get<lang::StdlibCall>(row_.lower).symbol), std::move(values)});
  }
  if (type.is(TypeKind::Void)) {
    value->type = wide;
    statement(typed::make_statement(span_, typed::Evaluate{std::move(value)}));
  } else {
    result(std::move(value));
  }
}

ValuePtr CallOfBuiltin::take_value() {
  if (failed_) return body_.unknown(span_);
  if (!result_) return typed::make(lang::make_void(), span_, typed::Sequence{std::move(statements_), nullptr});
  if (statements_.empty()) return std::move(result_);
  const Type type = result_->type;
  return typed::make(type, span_, typed::Sequence{std::move(statements_), std::move(result_)});
}

const lang::Param& CallOfBuiltin::parameter(std::size_t i) const { return row_.params[std::min(i, row_.params.size() - 1)]; }

Diagnostic& CallOfBuiltin::report(Diag code, Span span, std::string message) {
  failed_ = failed_ || severity_of(code) == Severity::Error;
  return body_.report(code, span, std::move(message));
}

ValuePtr CallOfBuiltin::known(ValuePtr value) {
  if (BodyLowering::is_known(value)) return value;
  failed_ = true;
  return nullptr;
}

ValuePtr CallOfBuiltin::raw_argument(std::size_t i) { return known(body_.loaded(body_.no_void(body_.raw(args_[i])))); }

ValuePtr CallOfBuiltin::argument(std::size_t i) {
  ValuePtr value = known(body_.operand(args_[i]));
  return value ? checked(std::move(value), i) : nullptr;
}

ValuePtr CallOfBuiltin::as_integer(ValuePtr value) { return known(body_.as_integer(std::move(value))); }

void CallOfBuiltin::wrong_argument(std::size_t i, std::string_view expected, std::string_view found) {
  report(Diag::ArgumentType, span_of(args_[i]), fmt::format("{}() expects {} as its {} argument, found {}", name_, expected, ordinal(i), found));
}

ValuePtr CallOfBuiltin::checked(ValuePtr value, std::size_t i) {
  const std::string_view word = parameter(i).type;
  const Type& type = value->type;
  bool ok = true;
  if (word == "int") {
    ok = type.is_integer();
  } else if (word == "string") {
    ok = type.is_string();
  } else if (word == "stack") {
    ok = type.is_stack();
  } else if (word == "pointer") {
    return as_pointer(std::move(value), i);
  } else if (word == "address") {
    ok = type.is_integer() || type.is(TypeKind::Pointer);
    if (ok) return convert_to(type.is_integer() ? widen_to_64(std::move(value)) : std::move(value), lang::make_uint64());
  }
  if (ok) return value;
  const auto row = std::find_if(std::begin(kWords), std::end(kWords), [&](const auto& w) { return w.word == word; });
  TRC_ASSERT(row != std::end(kWords));
  wrong_argument(i, row->expects, lang::type_name(type));
  return nullptr;
}

/// Something to read memory through: an integer takes the address space of the probe.
ValuePtr CallOfBuiltin::as_pointer(ValuePtr value, std::size_t i) {
  if (!value->type.is_integer() && !value->type.is(TypeKind::Pointer)) {
    wrong_argument(i, "a pointer", lang::type_name(value->type));
    return nullptr;
  }
  if (value->type.is_integer()) {
    const lang::AddressSpace own = value->type.space;   // of kaddr()
    const Type pointer = lang::make_pointer(lang::make_void(), own != lang::AddressSpace::None ? own : surroundings().context->space);
    value = convert_to(convert_to(widen_to_64(std::move(value)), lang::make_uint64()), pointer);
  }
  if (value->type.space != lang::AddressSpace::None || body_.plan().is_broken) return value;
  report(Diag::NotAvailableHere, span_of(args_[i]), "which address space? a pointer says kernel or user memory only in probes of one or the other")
      .with_hint("use kptr() or uptr()");
  return nullptr;
}

std::optional<std::int64_t> CallOfBuiltin::literal_int(std::size_t i) {
  ValuePtr value = known(body_.operand(args_[i]));
  if (!value) return std::nullopt;
  if (auto constant = constant_value(*value); constant && value->type.is_integer()) return static_cast<std::int64_t>(constant->bits);
  wrong_argument(i, "a literal integer", value->type.is_integer() ? "one that is only known at run time" : lang::type_name(value->type));
  return std::nullopt;
}

std::optional<std::string> CallOfBuiltin::literal_string(std::size_t i) {
  // Not through raw(): the length limit of string values does not concern formats and names.
  if (const auto* literal = std::get_if<StringLiteral*>(&args_[i])) return (*literal)->value;
  if (const auto* positional = std::get_if<Positional*>(&args_[i])) {
    if (auto text = body_.positional_text((*positional)->number)) return text;
  }
  ValuePtr value = known(body_.operand(args_[i]));
  if (!value) return std::nullopt;
  if (const auto* constant = std::get_if<typed::StringConstant>(&value->op)) return constant->bytes;
  wrong_argument(i, "a literal string", value->type.is_string() ? "one that is only known at run time" : lang::type_name(value->type));
  return std::nullopt;
}

std::optional<bool> CallOfBuiltin::literal_condition(std::size_t i) {
  const auto value = body_.comptime_condition(args_[i]);
  failed_ = failed_ || !value;
  return value;
}

std::optional<Type> CallOfBuiltin::argument_type(std::size_t i) {
  std::optional<Type> type;
  if (const auto* named = std::get_if<TypeOf*>(&args_[i])) {
    type = body_.type_of_operand((*named)->type, (*named)->operand);
  } else {
    type = body_.raw(args_[i])->type;
  }
  if (type && type->is(TypeKind::None)) type.reset();
  failed_ = failed_ || !type;
  return type;
}

std::optional<std::uint64_t> CallOfBuiltin::member_offset(const Type& type, const std::vector<std::string>& path, Span span) {
  const auto offset = body_.member_offset(type, path, span);
  failed_ = failed_ || !offset;
  return offset;
}

std::optional<CallLowering::Map> CallOfBuiltin::whole_map(std::size_t i) {
  const auto* ref = std::get_if<MapRef*>(&args_[i]);
  if (!ref || (*ref)->has_keys) return std::nullopt;
  const typed::MapId map = body_.shared().input.names.map[(*ref)->id];
  if (map == kNone) return std::nullopt;
  return body_.describe(map);
}

ValuePtr CallOfBuiltin::key(const Map& map, std::size_t i) { return known(body_.fit_key(map.id, body_.operand(args_[i]), span_of(args_[i]))); }

std::optional<CallLowering::Map> CallOfBuiltin::map_element(std::size_t i, ValuePtr& key) {
  const auto* ref = std::get_if<MapRef*>(&args_[i]);
  if (!ref || !(*ref)->has_keys) return std::nullopt;
  const typed::MapId map = body_.shared().input.names.map[(*ref)->id];
  if (map == kNone) return std::nullopt;
  key = known(body_.key_of(map, (*ref)->keys, (*ref)->span));
  return body_.describe(map);
}

std::optional<typed::Statements> CallOfBuiltin::assign(std::size_t i, ValuePtr value) {
  const auto* variable = std::get_if<Variable*>(&args_[i]);
  if (!variable) {
    wrong_argument(i, "a variable", "something else");
    return std::nullopt;
  }
  const std::uint32_t slot = body_.variable_index((*variable)->id);
  typed::Statements out;
  if (slot != kNone) body_.store(slot, std::move(value), (*variable)->span, out);
  failed_ = failed_ || out.empty();
  return out.empty() ? std::nullopt : std::optional(std::move(out));
}

ValuePtr CallOfBuiltin::convert(ValuePtr value, const Type& to) { return convert_to(std::move(value), to); }

void CallOfBuiltin::aggregate(Type type, ValuePtr argument) {
  aggregate_type_ = std::move(type);
  aggregate_argument_ = std::move(argument);
}

typed::EventId CallOfBuiltin::event(lang::EventSchema schema) { return body_.event(std::move(schema)); }

typed::EventId BodyLowering::event(lang::EventSchema schema) {
  if (!shared_.is_final) return 0;
  lang::lay_out(schema);
  shared_.events.push_back(std::move(schema));
  return static_cast<typed::EventId>(shared_.events.size() - 1);
}

}  // namespace trc::ast
