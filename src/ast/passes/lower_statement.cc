// Statements, and the frame of a program: pid filter and predicate.
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/convert.h"
#include "ast/passes/fold.h"
#include "ast/passes/lower.h"
#include "kernel/bpf_object.h"

namespace trc::ast {

using lang::Type;
using lang::TypeKind;
using typed::make_statement;
using typed::ValuePtr;

namespace {

constexpr std::uint64_t kMaxUnroll = 100;

/// Values that are computed for what they do; dropping what they return is no mistake.
bool acts(const typed::Value& value) {
  if (const auto* call = std::get_if<typed::CallStdlib>(&value.op); call && call->symbol.starts_with("trc_do_")) return true;
  return std::holds_alternative<typed::IncrementSlot>(value.op) || std::holds_alternative<typed::IncrementMap>(value.op) ||
         std::holds_alternative<typed::MapDelete>(value.op);
}

/// What the kernel takes a program of this kind for; multi links change nothing in what it may call.
kernel::ProgramType program_type(lang::ProgramKind kind) {
  switch (kind) {
    case lang::ProgramKind::TestRun:
    case lang::ProgramKind::RawTracepoint: return kernel::ProgramType::RawTracepoint;
    case lang::ProgramKind::UserProbe:
    case lang::ProgramKind::KernelFunction:
    case lang::ProgramKind::KernelAddress: return kernel::ProgramType::Kprobe;
    case lang::ProgramKind::Tracepoint: return kernel::ProgramType::Tracepoint;
    case lang::ProgramKind::PerfEvent: return kernel::ProgramType::PerfEvent;
    case lang::ProgramKind::FunctionEntry: return kernel::ProgramType::Fentry;
    case lang::ProgramKind::FunctionExit: return kernel::ProgramType::Fexit;
    case lang::ProgramKind::Iterator: return kernel::ProgramType::Iterator;
  }
  return kernel::ProgramType::Kprobe;
}

}  // namespace

BodyLowering::BodyLowering(Shared& shared, const PlannedProgram& plan, std::vector<Shape>& variables)
    : shared_(shared), plan_(plan), variables_(variables) {
  surroundings_.context = &plan_.context;
  surroundings_.provider = plan_.provider;
  surroundings_.positionals = &shared_.input.options.positionals;
  surroundings_.named_parameters = &shared_.input.options.named_parameters;
  surroundings_.settings = &shared_.settings;
  surroundings_.max_strlen = shared_.input.settings.settings.max_strlen;
  surroundings_.compat = shared_.input.settings.settings.compat;
  surroundings_.has_child = shared_.input.options.scope.is_child;
  surroundings_.unsafe = shared_.input.options.unsafe;
  surroundings_.has_kernel_function = [this](const std::string& name) { return shared_.input.facts.has_kernel_function(name); };
  surroundings_.allows_kfunc = [this](const std::string& name) { return shared_.input.facts.allows_kfunc(name, program_type(plan_.context.kind)); };
}

typed::Statements BodyLowering::lower() {
  const Probe& probe = *plan_.probe;
  Statements out;
  add_pid_filter(out);
  if (!probe.predicate) {
    if (probe.body) statements(*probe.body, out);
    return out;
  }
  ValuePtr predicate = condition(*probe.predicate);
  Statements body;
  if (probe.body) statements(*probe.body, body);
  if (is_known(predicate)) out.push_back(make_statement(probe.span, typed::If{std::move(predicate), std::move(body), {}}));
  return out;
}

/// -p, for providers that the kernel does not filter, and -c, for those of user programs: leave at once in other processes.
void BodyLowering::add_pid_filter(Statements& out) const {
  const Span span = plan_.probe->span;
  const Type wide = lang::make_uint64();
  Statements leave;
  leave.push_back(make_statement(span, typed::Return{}));
  if (plan_.filters_tree) {
    ValuePtr is_other = typed::make_binary(typed::BinaryOp::Equal, lang::make_bool(), span, typed::make(wide, span, typed::CallStdlib{"trc_in_tree", {}}),
                                           typed::make_constant(wide, span, 0));
    out.push_back(make_statement(span, typed::If{std::move(is_other), std::move(leave), {}}));
    return;
  }
  if (!plan_.filters_pid) return;
  ValuePtr pid = typed::make_binary(typed::BinaryOp::ShiftRightLogical, wide, span, typed::make(wide, span, typed::CallStdlib{"trc_pid_tgid", {}}),
                                    typed::make_constant(wide, span, 32));
  ValuePtr target = typed::make(wide, span, typed::Runtime{typed::RuntimeConstant::TargetPid});
  ValuePtr differs = typed::make_binary(typed::BinaryOp::NotEqual, lang::make_bool(), span, std::move(pid), std::move(target));
  out.push_back(make_statement(span, typed::If{std::move(differs), std::move(leave), {}}));
}

std::vector<Type> BodyLowering::slots() const {
  std::vector<Type> types;
  for (const Shape& variable : variables_) types.push_back(settled(variable));
  types.insert(types.end(), temporaries_.begin(), temporaries_.end());
  return types;
}

typed::SlotId BodyLowering::temporary(const Type& type) {
  temporaries_.push_back(type);
  return static_cast<typed::SlotId>(variables_.size() + temporaries_.size() - 1);
}

const VariableInfo& BodyLowering::variable_info(std::uint32_t index) const {
  return shared_.input.names.probes[plan_.probe_index].variables[index];
}

void BodyLowering::statements(const Block& block, Statements& out) {
  for (const Stmt& s : block.statements) statement(s, out);
  if (!block.value) return;
  // A last expression without ';' in a place where nobody takes its value is a statement.
  ExprStmt last;
  last.span = span_of(*block.value);
  last.expr = *block.value;
  lower(last, out);
}

void BodyLowering::statement(const Stmt& s, Statements& out) {
  std::visit([&](auto* n) { lower(*n, out); }, s);
}

void BodyLowering::lower(const ExprStmt& n, Statements& out) {
  ValuePtr value = raw(n.expr);
  if (!is_known(value)) return;
  if (value->type.is(TypeKind::Void)) {
    auto& inside = std::get<typed::Sequence>(value->op).before;
    std::move(inside.begin(), inside.end(), std::back_inserter(out));
    return;
  }
  const bool is_silent = acts(*value);
  value = as_integer(std::move(value));
  if (!is_known(value)) return;
  if (!is_silent) report(Diag::UnusedValue, n.span, "Return value discarded.").with_hint("write _ = … if that is meant");
  out.push_back(make_statement(n.span, typed::Evaluate{std::move(value)}));
}

void BodyLowering::lower(const Discard& n, Statements& out) {
  ValuePtr value = operand(n.value);
  if (is_known(value)) out.push_back(make_statement(n.span, typed::Evaluate{std::move(value)}));
}

void BodyLowering::lower(const If& n, Statements& out) {
  if (n.comptime) {
    const auto holds = comptime_condition(n.condition);
    if (holds && *holds) statements(*n.then, out);
    if (holds && !*holds && n.otherwise) statements(*n.otherwise, out);
    return;
  }
  ValuePtr test = condition(n.condition);
  Statements then, otherwise;
  if (n.then) statements(*n.then, then);
  if (n.otherwise) statements(*n.otherwise, otherwise);
  if (is_known(test)) out.push_back(make_statement(n.span, typed::If{std::move(test), std::move(then), std::move(otherwise)}));
}

void BodyLowering::lower(const While& n, Statements& out) {
  report(Diag::Deprecated, Span{n.span.file, n.span.begin, span_of(n.condition).end}, "While loops are deprecated and will be removed in future release.")
      .with_hint("use a range: for $i : 0..10 { … }");
  ValuePtr test = condition(n.condition);
  Statements body;
  statements(*n.body, body);
  if (is_known(test)) out.push_back(make_statement(n.span, typed::While{std::move(test), std::move(body)}));
}

void BodyLowering::lower(const For& n, Statements& out) {
  if (n.over) {
    map_loop(n, out);
  } else {
    range_loop(n, out);
  }
}

void BodyLowering::range_loop(const For& n, Statements& out) {
  const std::uint32_t slot = variable_index(n.id);
  auto end = [&](const Expr& e) {
    ValuePtr value = operand(e);
    if (!is_known(value)) return value;
    if (value->type.is_integer()) return convert_to(widen_to_64(std::move(value)), lang::make_int64());
    report(Diag::InvalidOperand, value->span, fmt::format("the ends of a range must be integers, found {}", lang::type_name(value->type)));
    return unknown(value->span);
  };
  ValuePtr from = end(*n.from), to = end(*n.to);
  variables_[slot] = shape_of(lang::make_int64());
  variables_[slot].is_declared = true;
  Statements body;
  statements(*n.body, body);
  if (is_known(from) && is_known(to)) out.push_back(make_statement(n.span, typed::ForRange{slot, std::move(from), std::move(to), std::move(body)}));
}

void BodyLowering::map_loop(const For& n, Statements& out) {
  const std::uint32_t slot = variable_index(n.id);
  const auto* ref = std::get_if<MapRef*>(&*n.over);
  if (!ref || (*ref)->has_keys) {
    report(Diag::InvalidOperand, span_of(*n.over), "for iterates over a map or a range");
    return;
  }
  const typed::MapId map = map_index(**ref);
  const auto info = describe(map);
  bool is_ready = !info.key.is(TypeKind::None) && !info.value.is(TypeKind::None);
  Type value = info.value;
  if (value.is_aggregate()) value = readable_as(value);
  if (!info.is_keyed) {
    report(Diag::MapUse, (*ref)->span, fmt::format("{} has no explicit keys (scalar map), and cannot be used for iteration", info.name));
    is_ready = false;
  } else if (is_ready && value.is(TypeKind::None)) {
    report(Diag::MapUse, (*ref)->span, fmt::format("{} holds {} values, which cannot be iterated", info.name, lang::type_name(info.value)));
    is_ready = false;
  }
  if (is_ready) {
    Shape pair = shape_of(lang::make_tuple({info.key, value}));
    if (settled(variables_[slot]) != pair.type) shared_.changed = true;
    variables_[slot] = std::move(pair);
    variables_[slot].is_declared = true;
  }
  Statements body;
  statements(*n.body, body);
  if (is_ready) out.push_back(make_statement(n.span, typed::ForMap{slot, map, std::move(body)}));
}

void BodyLowering::lower(const Unroll& n, Statements& out) {
  ValuePtr count = operand(n.count);
  if (!is_known(count)) return;
  const auto times = constant_value(*count);
  std::string problem;
  if (!times) {
    problem = "invalid unroll value";
  } else if (times->is_negative || times->bits < 1) {
    problem = "unroll minimum value is 1";
  } else if (times->bits > kMaxUnroll) {
    problem = "unroll maximum value is 100";
  }
  if (!problem.empty()) {
    report(times && !times->is_negative && times->bits > kMaxUnroll ? Diag::LimitExceeded : Diag::InvalidLiteral, count->span, problem)
        .with_hint("the count must be a literal or a positional parameter from 1 to 100");
  }
  const std::uint64_t copies = problem.empty() ? times->bits : 1;
  for (std::uint64_t i = 0; i < copies; ++i) statements(*n.body, out);
}

void BodyLowering::lower(const Block& n, Statements& out) { statements(n, out); }
void BodyLowering::lower(const Break& n, Statements& out) { out.push_back(make_statement(n.span, typed::Break{})); }
void BodyLowering::lower(const Continue& n, Statements& out) { out.push_back(make_statement(n.span, typed::Continue{})); }

void BodyLowering::lower(const Return& n, Statements& out) {
  if (function_) return return_from_function(n, out);
  if (!n.value) {
    out.push_back(make_statement(n.span, typed::Return{}));
    return;
  }
  ValuePtr value = operand(*n.value);
  if (!is_known(value)) return;
  if (!value->type.is_integer()) {
    report(Diag::TypeMismatch, value->span, fmt::format("a probe returns an integer, found {}", lang::type_name(value->type)));
    return;
  }
  out.push_back(make_statement(n.span, typed::Return{convert_to(widen_to_64(std::move(value)), lang::make_int64())}));
}

}  // namespace trc::ast
