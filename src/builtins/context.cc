// What the probe offers: arguments, return value, registers, its own name.
#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::BuiltinForm;
using lang::BuiltinSpec;
using lang::Param;
using typed::ValuePtr;

constexpr int kGetFuncIp = 173;   // enum bpf_func_id

void read(CallLowering& call, const lang::ContextValue& value) {
  if (!value.why_unreadable.empty()) {
    call.report(Diag::NotAvailableHere, call.span(), value.why_unreadable);
    return;
  }
  call.result(typed::make(value.type, call.span(), typed::ReadContext{value}));
}

void lower_argument(CallLowering& call) {
  const auto& context = *call.surroundings().context;
  const std::string_view digits = call.name().substr(3);
  std::size_t index = 0;
  const bool is_number = std::from_chars(digits.data(), digits.data() + digits.size(), index).ec == std::errc();
  if (is_number && index < context.positional.size()) return read(call, context.positional[index]);
  std::string why;
  if (context.positional.empty()) {
    why = fmt::format("The {} builtin can only be used with 'kprobes', 'uprobes' and 'usdt' probes", call.name());
  } else if (call.surroundings().provider == "uprobe" || call.surroundings().provider == "kprobe") {
    why = fmt::format("x86_64 doesn't support {}", call.name());
  } else {
    why = fmt::format("there is no {}: this probe has {} arguments", call.name(), context.positional.size());
  }
  auto& report = call.report(Diag::NotAvailableHere, call.span(), why);
  if (!context.named.empty() && context.positional.empty()) report.with_hint("use args.NAME; the probe has: " + [&] {
    std::string all;
    for (const auto& value : context.named) all += (all.empty() ? "" : ", ") + value.name;
    return all;
  }());
}

void lower_args(CallLowering& call) {
  const auto& context = *call.surroundings().context;
  std::vector<ValuePtr> values;
  std::vector<lang::Field> fields;
  const bool asks_facts = context.facts && !context.return_value;
  for (const lang::ContextValue& value : asks_facts ? context.facts->arguments() : context.named) {
    if (!value.why_unreadable.empty() || value.type.is(lang::TypeKind::Void)) continue;
    ValuePtr read = call.loaded(typed::make_context_value(value, call.span()));
    if (!read) return;
    fields.push_back({.name = value.name, .type = read->type});
    values.push_back(std::move(read));
  }
  if (values.empty()) {
    const std::string why = asks_facts ? context.facts->why_no_arguments() : context.why_no_args.empty() ? fmt::format("{} probes have no args", call.surroundings().provider) : context.why_no_args;
    call.report(Diag::NotAvailableHere, call.span(), why);
    return;
  }
  call.result(typed::make(lang::make_record(std::move(fields)), call.span(), typed::MakeTuple{std::move(values)}));
}

/// Members of ctx are read by ast/passes/lower_structs.cc: the kernel allows loads of them only where they are.
void lower_ctx(CallLowering& call) {
  if (call.surroundings().provider == "tracepoint") {
    call.report(Diag::NotAvailableHere, call.span(), "Use args instead of ctx in tracepoint");
  } else {
    call.report(Diag::NotAvailableHere, call.span(), "ctx is not available here as a whole").with_hint("read its members: ctx.ip, in profile and similar probes ctx.regs.ip");
  }
}

void lower_retval(CallLowering& call) {
  const auto& context = *call.surroundings().context;
  if (context.return_value) {
    lang::ContextValue value = *context.return_value;
    // With its sign and width, where they are known. Pointers stay numbers, as scripts know them, until something is read through one.
    const auto type = context.facts && !call.surroundings().compat ? context.facts->result() : std::nullopt;
    if (type && (type->is_integer() || type->is(lang::TypeKind::Bool))) value.type = *type;
    return read(call, value);
  }
  call.report(Diag::NotAvailableHere, call.span(), "The retval builtin can only be used with 'kretprobe' and 'uretprobe' and 'fentry' probes");
}

// ---- registers (struct pt_regs of x86-64) ----

struct Register {
  std::string_view name;
  std::uint16_t offset;
};
constexpr Register kRegisters[] = {
    {"r15", 0},  {"r14", 8},  {"r13", 16}, {"r12", 24}, {"bp", 32},  {"bx", 40},  {"r11", 48},        {"r10", 56}, {"r9", 64},     {"r8", 72},  {"ax", 80},
    {"cx", 88},  {"dx", 96},  {"si", 104}, {"di", 112}, {"orig_rax", 120}, {"ip", 128}, {"pc", 128}, {"cs", 136}, {"flags", 144}, {"sp", 152}, {"ss", 160},
};
constexpr std::uint16_t kInstructionPointer = 128;

ValuePtr read_register(Span span, std::uint16_t offset) {
  return typed::make(lang::make_uint64(), span, typed::ReadContext{{.type = lang::make_uint64(), .source = lang::RegisterSource{offset}}});
}

void lower_reg(CallLowering& call) {
  const auto name = call.literal_string(0);
  if (!name) return;
  if (!call.surroundings().context->has_registers) {
    call.report(Diag::NotAvailableHere, call.span(), fmt::format("reg() is not available in {} probes", call.surroundings().provider));
    return;
  }
  for (const Register& row : kRegisters) {
    if (row.name == *name) return call.result(read_register(call.span(), row.offset));
  }
  std::vector<std::string> names;
  for (const Register& row : kRegisters) names.emplace_back(row.name);
  auto& report = call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("'{}' is not a valid register on this architecture (x86_64)", *name));
  const bool has_prefix = name->size() > 1 && name->front() == 'r' && std::find(names.begin(), names.end(), name->substr(1)) != names.end();
  const std::string near = has_prefix ? name->substr(1) : nearest(*name, names);
  if (!near.empty()) report.with_hint("did you mean " + near + "?");
}

/// At entry of a user function the instruction pointer is the function. On return only the kernel knows which function that was, and in
/// its own functions the instruction pointer may stand behind what leads to the probe.
ValuePtr function_address(CallLowering& call) {
  const auto& context = *call.surroundings().context;
  const bool ask = context.return_value || context.kind == lang::ProgramKind::KernelFunction || context.kind == lang::ProgramKind::FunctionEntry ||
                   context.kind == lang::ProgramKind::FunctionExit;
  return ask ? typed::make(lang::make_uint64(), call.span(), typed::CallHelper{kGetFuncIp, {}, true}) : read_register(call.span(), kInstructionPointer);
}

void lower_func(CallLowering& call) {
  const auto& context = *call.surroundings().context;
  if (!context.has_function) {
    call.report(Diag::NotAvailableHere, call.span(), "The func builtin can not be used with '" + std::string(call.surroundings().provider) + "' probes");
    return;
  }
  const bool user = context.space == lang::AddressSpace::User;
  call.result(typed::make(lang::make_symbol(user), call.span(), typed::MakeSymbol{function_address(call)}));
}

/// uaddr("symbol"): where it is in the process that was met, counted from the function that the probe is on; so it does not matter where the file was
/// loaded. A variable of a word's size comes as a pointer to such a word.
void lower_uaddr(CallLowering& call) {
  const auto name = call.literal_string(0);
  if (!name) return;
  const auto& context = *call.surroundings().context;
  const auto refuse = [&](const std::string& why) { call.report(Diag::NotAvailableHere, call.span(), why); };
  if (!context.facts || !context.has_function) {
    return refuse(fmt::format("uaddr() can not be used with '{}' probes, only with uprobe and uretprobe on a function", call.surroundings().provider));
  }
  std::string why;
  const auto symbol = context.facts->symbol(*name, why);
  if (!symbol) return refuse("uaddr(): " + why);
  const bool is_word = symbol->size == 1 || symbol->size == 2 || symbol->size == 4 || symbol->size == 8;
  const lang::Type pointee = is_word ? lang::make_integer(static_cast<unsigned>(symbol->size) * 8, false) : lang::make_uint64();
  ValuePtr distance = typed::make_constant(lang::make_uint64(), call.span(), static_cast<std::uint64_t>(symbol->distance));
  ValuePtr address = typed::make_binary(typed::BinaryOp::Add, lang::make_uint64(), call.span(), function_address(call), std::move(distance));
  call.result(call.convert(std::move(address), lang::make_pointer(pointee, lang::AddressSpace::User)));
}

void lower_probe(CallLowering& call) { call.result(typed::make(lang::make_probe_name(), call.span(), typed::ProbeId{})); }

void lower_probetype(CallLowering& call) {
  std::string type(call.surroundings().provider);
  if (type == "begin" || type == "end" || type == "self") type = "special";
  const auto capacity = static_cast<std::uint32_t>(type.size()) + 1;
  call.result(typed::make(lang::make_string(capacity), call.span(), typed::StringConstant{type}));
}

constexpr Param kSymbol[] = {{.name = "symbol", .type = "literal string"}};
constexpr Param kReg[] = {{.name = "name", .type = "literal string"}};

constexpr BuiltinSpec row(std::string_view name, std::string_view result, void (*lower)(CallLowering&), std::string_view doc, std::string_view example) {
  return {.name = name, .form = BuiltinForm::Value, .result = result, .lower = lang::Custom{lower}, .doc = doc, .example = example};
}

constexpr BuiltinSpec kRows[] = {
    row("argN", "", lower_argument, "Argument number N of the traced function, from 0.", "uprobe:/bin/bash:readline { print(arg0); }"),
    row("args", "", lower_args, "The named arguments of the probe: args.NAME; args is all of them, as a record.", "tracepoint:syscalls:sys_enter_openat { print(args.dfd); }"),
    row("ctx", "", lower_ctx, "What the kernel hands to the probe: registers (ctx.ip) or a sample (ctx.regs.ip).", "profile:hz:99 { print(ctx.regs.ip); }"),
    row("retval", "", lower_retval, "What the traced function returns.", "uretprobe:/bin/bash:readline { print(str(retval)); }"),
    row("func", "", lower_func, "The traced function.", "uprobe:/bin/bash:read* { print(func); }"),
    row("probe", "", lower_probe, "The full attach point that fired.", "begin { print(probe); }"),
    row("probetype", "", lower_probetype, "The kind of probe.", "interval:s:1 { print(probetype); }"),
    {.name = "uaddr", .params = kSymbol, .result = "", .lower = lang::Custom{lower_uaddr},
     .doc = "Address of a function or variable of the traced file, in the process that was met; * reads a variable.",
     .example = "uprobe:/bin/bash:readline { print(str(*uaddr(\"dist_version\"))); }"},
    {.name = "reg", .params = kReg, .result = "uint64", .lower = lang::Custom{lower_reg}, .doc = "A register of the interrupted code.",
     .example = "profile:hz:99 { print(reg(\"ip\")); }"},
};

}  // namespace

std::span<const BuiltinSpec> context_builtins() { return kRows; }

}  // namespace trc::builtins
