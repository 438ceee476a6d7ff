// Who is running: the current task, its CPU, and the machine.
#include <algorithm>
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
using lang::HelperCall;
using lang::Param;
using typed::ValuePtr;

// enum bpf_func_id
constexpr int kGetPrandomU32 = 7;
constexpr int kGetSmpProcessorId = 8;
constexpr int kGetCurrentPidTgid = 14;
constexpr int kGetCurrentUidGid = 15;
constexpr int kGetCurrentTask = 35;
constexpr int kGetNumaNodeId = 42;
constexpr int kGetCurrentCgroupId = 80;
constexpr int kJiffies64 = 118;
constexpr std::uint64_t kLow32 = 0xffffffff;

void lower_comm(CallLowering& call) { call.result(typed::make(lang::make_string(16), call.span(), typed::Comm{})); }

// ---- tasks ----

constexpr std::uint32_t kCommSize = 16;

ValuePtr library(std::string symbol, lang::Type type, Span span, ValuePtr argument) {
  std::vector<ValuePtr> arguments;
  arguments.push_back(std::move(argument));
  return typed::make(std::move(type), span, typed::CallStdlib{std::move(symbol), std::move(arguments)});
}

/// The task that the call is about: its argument, else the current one. Null after a report.
ValuePtr task_argument(CallLowering& call) {
  if (call.argument_count() == 0) return typed::make_helper_call(kGetCurrentTask, call.span());
  return call.argument(0);   // an address, as uint64
}

ValuePtr relative(CallLowering& call, const char* which) {
  ValuePtr task = task_argument(call);
  return task ? library(which, lang::make_uint64(), call.span(), std::move(task)) : nullptr;
}

inline constexpr const char *kParent = "trc_task_parent", *kLeader = "trc_task_leader";

/// ppid, leader_tid
template <const char* const& which>
void lower_task_id(CallLowering& call) {
  ValuePtr task = relative(call, which);
  if (!task) return;
  call.result(call.convert(library("trc_task_tid", lang::make_uint64(), call.span(), std::move(task)), lang::make_integer(32, false)));
}

/// pcomm, leader_comm
template <const char* const& which>
void lower_task_comm(CallLowering& call) {
  if (ValuePtr task = relative(call, which)) call.result(library("trc_task_comm", lang::make_string(kCommSize), call.span(), std::move(task)));
}

/// comm(pid)
void lower_comm_of(CallLowering& call) {
  ValuePtr pid = call.argument(0);
  if (!pid) return;
  pid = call.convert(std::move(pid), lang::make_uint64());
  const Span span = call.span();
  const lang::Type text = lang::make_string(kCommSize), none = lang::make_string(4);
  const typed::SlotId name = call.temporary(text);
  auto load = [&] { return typed::make(text, span, typed::LoadSlot{name}); };
  call.statement(typed::make_statement(span, typed::StoreSlot{name, library("trc_comm_of", text, span, std::move(pid))}));
  lang::EventSchema schema;
  schema.action = lang::ActionKind::RuntimeError;
  schema.text = "comm(): there is no process or thread with this id";
  schema.span = span;
  typed::Statements warning;
  warning.push_back(typed::make_statement(span, typed::Emit{call.event(std::move(schema)), {}}));
  ValuePtr is_none = typed::make(lang::make_bool(), span, typed::CompareStrings{load(), typed::make(none, span, typed::StringConstant{"N/A"})});
  call.statement(typed::make_statement(span, typed::If{std::move(is_none), std::move(warning), {}}));
  call.result(load());
}

void lower_username(CallLowering& call) {
  const lang::Type wide = lang::make_uint64();
  ValuePtr uid = typed::make_binary(typed::BinaryOp::And, wide, call.span(), typed::make_helper_call(kGetCurrentUidGid, call.span()),
                                    typed::make_constant(wide, call.span(), kLow32));
  call.result(call.convert(std::move(uid), lang::make_username()));
}

/// 1 when user code was interrupted. begin and end run on behalf of trc, other probes that are no samples in the kernel.
void lower_usermode(CallLowering& call) {
  constexpr std::uint16_t kCodeSegment = 136;   // cs in struct pt_regs of x86-64; its low bits are the privilege level
  constexpr std::uint64_t kLevel = 3;
  const lang::Type narrow = lang::make_integer(8, false), wide = lang::make_uint64();
  const lang::ProgramKind kind = call.surroundings().context->kind;
  if (kind != lang::ProgramKind::PerfEvent) return call.result(typed::make_constant(narrow, call.span(), kind == lang::ProgramKind::TestRun ? 1 : 0));
  ValuePtr segment = typed::make(wide, call.span(), typed::ReadContext{{.type = wide, .source = lang::RegisterSource{kCodeSegment}}});
  segment = typed::make_binary(typed::BinaryOp::And, wide, call.span(), std::move(segment), typed::make_constant(wide, call.span(), kLevel));
  ValuePtr is_user = typed::make_binary(typed::BinaryOp::Equal, lang::make_bool(), call.span(), std::move(segment), typed::make_constant(wide, call.span(), kLevel));
  call.result(call.convert(std::move(is_user), narrow));
}

constexpr std::string_view kNamespaces[] = {"curr_ns", "init"};

/// pid, tid: in the pid namespace of trc itself, or in the first one.
template <bool thread>
void lower_process_id(CallLowering& call) {
  bool in_first = false;
  if (call.argument_count() > 0) {
    const auto* name = std::get_if<ast::Identifier*>(&call.argument_expr(0));
    if (!name || !std::ranges::count(kNamespaces, (*name)->name)) {
      call.report(Diag::ArgumentType, call.argument_span(0), fmt::format("{}() wants the name of a pid namespace", call.name()))
          .with_hint("curr_ns: that of trc itself, also without an argument; init: the first one of the machine");
      return;
    }
    in_first = (*name)->name == "init";
  }
  const lang::Type wide = lang::make_uint64();
  ValuePtr both = in_first ? typed::make_helper_call(kGetCurrentPidTgid, call.span()) : typed::make(wide, call.span(), typed::CallStdlib{"trc_pid_tgid", {}});
  const auto op = thread ? typed::BinaryOp::And : typed::BinaryOp::ShiftRightLogical;
  ValuePtr one = typed::make_binary(op, wide, call.span(), std::move(both), typed::make_constant(wide, call.span(), thread ? kLow32 : 32));
  call.result(call.convert(std::move(one), lang::make_integer(32, false)));
}

void lower_curtask(CallLowering& call) {
  const lang::Type task = lang::make_pointer(lang::make_struct("struct task_struct"), lang::AddressSpace::Kernel);
  call.result(call.convert(typed::make_helper_call(kGetCurrentTask, call.span()), task));
}

void lower_ncpus(CallLowering& call) {
  call.result(typed::make(lang::make_uint64(), call.span(), typed::Runtime{typed::RuntimeConstant::CpuCount}));
}

void lower_cpid(CallLowering& call) {
  if (!call.surroundings().has_child) {
    call.report(Diag::MissingParameter, call.span(), "cpid is 0: there is no child command").with_hint("give one with -c");
  }
  auto pid = typed::make(lang::make_uint64(), call.span(), typed::Runtime{typed::RuntimeConstant::ChildPid});
  call.result(call.convert(std::move(pid), lang::make_integer(32, false)));
}

void lower_has_cpid(CallLowering& call) {
  call.result(typed::make_constant(lang::make_bool(), call.span(), call.surroundings().has_child));
}

constexpr BuiltinSpec row(std::string_view name, std::string_view result, lang::Lowering lower, std::string_view doc, std::string_view example) {
  return {.name = name, .form = BuiltinForm::Value, .result = result, .lower = lower, .doc = doc, .example = example};
}

constexpr BuiltinSpec of_task(std::string_view name, std::span<const Param> params, std::string_view result, void (*lower)(CallLowering&),
                              std::string_view doc, std::string_view example) {
  return {.name = name, .form = BuiltinForm::Value, .params = params, .result = result, .lower = lang::Custom{lower}, .doc = doc, .example = example};
}

constexpr Param kTask[] = {{.name = "task", .type = "address", .optional = true}};
constexpr Param kPid[] = {{.name = "pid", .type = "int"}};
constexpr Param kNamespace[] = {{.name = "namespace", .type = "name", .optional = true}};

constexpr BuiltinSpec kRows[] = {
    {.name = "pid", .form = BuiltinForm::Value, .params = kNamespace, .result = "uint32", .lower = lang::Custom{lower_process_id<false>},
     .doc = "Process id, in the pid namespace of trc; pid(init): in the first one of the machine.", .example = "begin { print(pid); }"},
    {.name = "tid", .form = BuiltinForm::Value, .params = kNamespace, .result = "uint32", .lower = lang::Custom{lower_process_id<true>},
     .doc = "Thread id, in the pid namespace of trc; tid(init): in the first one of the machine.", .example = "begin { print(tid); }"},
    row("uid", "uint64", HelperCall{kGetCurrentUidGid, 0, kLow32}, "Real user id.", "begin { print(uid); }"),
    row("gid", "uint64", HelperCall{kGetCurrentUidGid, 32}, "Real group id.", "begin { print(gid); }"),
    row("comm", "string[16]", lang::Custom{lower_comm}, "Name of the current thread.", "begin { print(comm); }"),
    of_task("comm", kPid, "string[16]", lower_comm_of, "comm(pid): name of the process or thread with that id; N/A if there is none.", "begin { print(comm(1)); }"),
    of_task("ppid", kTask, "uint32", lower_task_id<kParent>, "Process id of the parent of the current process, or of a task.", "begin { print(ppid); }"),
    of_task("pcomm", kTask, "string[16]", lower_task_comm<kParent>, "Name of the parent of the current process, or of a task.", "begin { print(pcomm); }"),
    of_task("leader_tid", kTask, "uint32", lower_task_id<kLeader>, "Thread id of the first thread of the current process, or of a task.",
            "begin { print(leader_tid == pid); }"),
    of_task("leader_comm", kTask, "string[16]", lower_task_comm<kLeader>, "Name of the first thread of the current process, or of a task.",
            "begin { print(leader_comm); }"),
    row("username", "", lang::Custom{lower_username}, "Name of the current user.", "begin { print(username); }"),
    row("usermode", "uint8", lang::Custom{lower_usermode}, "Whether a sample met user code, 1, or the kernel, 0.", "profile:hz:99 { @[usermode] = count(); }"),
    row("cpu", "uint64", HelperCall{kGetSmpProcessorId}, "Number of the processor.", "begin { print(cpu); }"),
    row("curtask", "", lang::Custom{lower_curtask}, "Address of the current task_struct.", "begin { print(curtask); }"),
    row("rand", "uint64", HelperCall{kGetPrandomU32, 0, kLow32}, "A random number of 32 bits.", "begin { print(rand); }"),
    row("cgroup", "uint64", HelperCall{kGetCurrentCgroupId}, "Id of the current task's cgroup (v2).", "begin { print(cgroup); }"),
    row("numaid", "uint64", HelperCall{kGetNumaNodeId, 0, kLow32}, "NUMA node of the processor.", "begin { print(numaid); }"),
    row("jiffies", "uint64", HelperCall{kJiffies64}, "Kernel timer ticks since boot.", "begin { print(jiffies); }"),
    row("ncpus", "uint64", lang::Custom{lower_ncpus}, "How many processors there can be.", "begin { print(ncpus); }"),
    row("cpid", "uint32", lang::Custom{lower_cpid}, "Process id of the -c command.", "begin { print(cpid); }"),
    row("has_cpid", "bool", lang::Custom{lower_has_cpid}, "Whether there is a -c command.", "begin { print(has_cpid); }"),
};

}  // namespace

std::span<const BuiltinSpec> process_builtins() { return kRows; }

}  // namespace trc::builtins
