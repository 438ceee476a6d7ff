// The text of a typed program, for -d typed and for tests: values as nested operations with their types, statements one a line.
#include "ast/typed_program.h"

#include <fmt/format.h>

#include "ast/spelling.h"
#include "base/assert.h"

namespace trc::typed {
namespace {

using ast::quoted;
using lang::type_name;

const char* name_of(UnaryOp op) {
  switch (op) {
    case UnaryOp::Not: return "not";
    case UnaryOp::BitNot: return "bit-not";
    case UnaryOp::Negate: return "negate";
    case UnaryOp::ByteSwap: return "byte-swap";
  }
  TRC_UNREACHABLE("unary operation");
}

const char* name_of(BinaryOp op) {
  switch (op) {
    case BinaryOp::Add: return "add";
    case BinaryOp::Subtract: return "subtract";
    case BinaryOp::Multiply: return "multiply";
    case BinaryOp::DivideUnsigned: return "divide-unsigned";
    case BinaryOp::DivideSigned: return "divide-signed";
    case BinaryOp::ModuloUnsigned: return "modulo-unsigned";
    case BinaryOp::ModuloSigned: return "modulo-signed";
    case BinaryOp::And: return "and";
    case BinaryOp::Or: return "or";
    case BinaryOp::Xor: return "xor";
    case BinaryOp::ShiftLeft: return "shift-left";
    case BinaryOp::ShiftRightLogical: return "shift-right-logical";
    case BinaryOp::ShiftRightArithmetic: return "shift-right-arithmetic";
    case BinaryOp::Equal: return "equal";
    case BinaryOp::NotEqual: return "not-equal";
    case BinaryOp::LessUnsigned: return "less-unsigned";
    case BinaryOp::LessSigned: return "less-signed";
    case BinaryOp::LessEqualUnsigned: return "less-equal-unsigned";
    case BinaryOp::LessEqualSigned: return "less-equal-signed";
  }
  TRC_UNREACHABLE("binary operation");
}

const char* name_of(RuntimeConstant which) {
  switch (which) {
    case RuntimeConstant::TargetPid: return "target-pid";
    case RuntimeConstant::ChildPid: return "child-pid";
    case RuntimeConstant::CpuCount: return "cpu-count";
    case RuntimeConstant::StartNs: return "start-ns";
    case RuntimeConstant::TaiDelta: return "tai-delta";
    case RuntimeConstant::MaxStack: return "max-stack";
    case RuntimeConstant::PidNamespaceDevice: return "pid-namespace-device";
    case RuntimeConstant::PidNamespaceInode: return "pid-namespace-inode";
  }
  TRC_UNREACHABLE("runtime constant");
}

const char* name_of(lang::ActionKind kind) {
  switch (kind) {
#define TRC_ACTION(name) \
  case lang::ActionKind::name: return #name;
#include "lang/actions.def"
#undef TRC_ACTION
  }
  TRC_UNREACHABLE("action");
}

const char* name_of(lang::ProgramKind kind) {
  switch (kind) {
    case lang::ProgramKind::TestRun: return "test-run";
    case lang::ProgramKind::UserProbe: return "user-probe";
    case lang::ProgramKind::Tracepoint: return "tracepoint";
    case lang::ProgramKind::RawTracepoint: return "raw-tracepoint";
    case lang::ProgramKind::PerfEvent: return "perf-event";
    case lang::ProgramKind::KernelFunction: return "kernel-function";
    case lang::ProgramKind::KernelAddress: return "kernel-address";
    case lang::ProgramKind::FunctionEntry: return "function-entry";
    case lang::ProgramKind::FunctionExit: return "function-exit";
    case lang::ProgramKind::Iterator: return "iterator";
  }
  TRC_UNREACHABLE("program kind");
}

std::string place_of(const lang::ValueSource& source) {
  struct Visitor {
    std::string operator()(const lang::RegisterSource& s) const { return fmt::format("register@{}", s.offset); }
    std::string operator()(const lang::ContextSource& s) const { return fmt::format("context@{}", s.offset); }
    std::string operator()(const lang::DataLocSource& s) const { return fmt::format("data-loc@{}", s.offset); }
    std::string operator()(const lang::UsdtSource&) const { return "usdt-operand"; }
  };
  return std::visit(Visitor{}, source);
}

class Dumper {
 public:
  explicit Dumper(const TypedProgram& program) : program_(program) {}

  std::string run() {
    for (const Map& map : program_.maps) dump(map);
    for (std::size_t i = 0; i < program_.events.size(); ++i) dump(program_.events[i], i);
    for (const Program& program : program_.programs) dump(program);
    return std::move(text_);
  }

 private:
  void line(const std::string& content) { text_ += std::string(depth_ * 2, ' ') + content + "\n"; }

  void dump(const Map& map) {
    std::string flags;
    if (map.key) flags += fmt::format(" entries={}", map.max_entries);
    if (map.lru) flags += " lru";
    if (map.per_cpu) flags += " per-cpu";
    line(fmt::format("map {}{}: {}{}", map.name, map.key ? "[" + type_name(*map.key) + "]" : "", type_name(map.value), flags));
  }

  void dump(const lang::EventSchema& event, std::size_t index) {
    std::string fields;
    for (const auto& field : event.fields) fields += (fields.empty() ? "" : ", ") + type_name(field.type);
    std::string extra;
    if (event.map != lang::kNoMap) extra += " " + program_.maps[event.map].name;
    if (!event.text.empty()) extra += " " + quoted(event.text);
    line(fmt::format("event {} {}{} ({}) size={}", index, name_of(event.action), extra, fields, event.size));
  }

  void dump(const Program& program) {
    line(fmt::format("program {} {}", program.name, name_of(program.context.kind)));
    ++depth_;
    for (std::size_t i = 0; i < program_.probes.size(); ++i) {
      const ProbeSpec& spec = program_.probes[i];
      if (&program_.programs[spec.program] == &program) line(fmt::format("probe {} {}{}", i, spec.text, spec.needs_cookie ? " cookie" : ""));
    }
    for (std::size_t i = 0; i < program.slots.size(); ++i) line(fmt::format("slot {} {}", i, type_name(program.slots[i])));
    dump(program.body);
    --depth_;
  }

  void dump(const Statements& statements) {
    for (const Statement& s : statements) {
      std::visit([&](const auto& op) { dump(op); }, s.op);
    }
  }

  void block(const std::string& head, const Statements& body) {
    line(head);
    ++depth_;
    dump(body);
    --depth_;
  }

  std::string element(MapId map, const ValuePtr& key) { return program_.maps[map].name + (key ? "[" + text(key) + "]" : ""); }

  void dump(const Evaluate& s) { line(text(s.value)); }
  void dump(const StoreSlot& s) { line(fmt::format("slot {} = {}", s.slot, text(s.value))); }
  void dump(const ZeroSlot& s) { line(fmt::format("slot {} = zero", s.slot)); }
  void dump(const MapSet& s) { line(fmt::format("{} = {}", element(s.map, s.key), text(s.value))); }
  void dump(const MapAdd& s) { line(fmt::format("{} += {}", element(s.map, s.key), text(s.delta))); }
  void dump(const MapAggregate& s) { line(fmt::format("{} <- {}", element(s.map, s.key), s.argument ? text(s.argument) : "one more")); }
  void dump(const Emit& s) { line(fmt::format("emit {} ({})", s.event, list(s.fields))); }
  void dump(const EmitJoin& s) { line(fmt::format("emit-join {} ({})", s.event, text(s.array))); }
  void dump(const PrintToFile& s) { line(fmt::format("print-to-file {} ({})", quoted(s.format), list(s.values))); }
  void dump(const If& s) {
    block(fmt::format("if {}", text(s.condition)), s.then);
    if (!s.otherwise.empty()) block("else", s.otherwise);
  }
  void dump(const While& s) { block(fmt::format("while {}", text(s.condition)), s.body); }
  void dump(const ForRange& s) { block(fmt::format("for slot {} in {} .. {}", s.variable, text(s.from), text(s.to)), s.body); }
  void dump(const ForMap& s) { block(fmt::format("for slot {} in {}", s.variable, program_.maps[s.map].name), s.body); }
  void dump(const Break&) { line("break"); }
  void dump(const Continue&) { line("continue"); }
  void dump(const Return& s) { line(s.value ? "return " + text(s.value) : "return"); }

  // ---- values: operation(operands):type ----
  std::string list(const std::vector<ValuePtr>& values) {
    std::string all;
    for (const ValuePtr& value : values) all += (all.empty() ? "" : ", ") + text(value);
    return all;
  }

  std::string text(const ValuePtr& value) {
    if (!value) return "nothing";
    return std::visit([&](const auto& op) { return show(op, *value); }, value->op) + ":" + type_name(value->type);
  }

  std::string show(const Constant& v, const Value& value) {
    return value.type.is_signed ? fmt::format("{}", static_cast<std::int64_t>(v.bits)) : fmt::format("{}", v.bits);
  }
  std::string show(const StringConstant& v, const Value&) { return quoted(v.bytes); }
  std::string show(const LoadSlot& v, const Value&) { return fmt::format("slot {}", v.slot); }
  std::string show(const ReadContext& v, const Value&) {
    return v.value.name.empty() ? place_of(v.value.source) : fmt::format("args.{}={}", v.value.name, place_of(v.value.source));
  }
  std::string show(const Runtime& v, const Value&) { return name_of(v.which); }
  std::string show(const CallHelper& v, const Value&) {
    return fmt::format("helper-{}({}{})", v.helper, v.with_context ? "context" : "", list(v.args));
  }
  std::string show(const CallStdlib& v, const Value&) { return fmt::format("{}({})", v.symbol, list(v.args)); }
  std::string show(const Comm&, const Value&) { return "comm"; }
  std::string show(const ProbeId&, const Value&) { return "probe"; }
  std::string show(const ProbeIs& v, const Value&) { return fmt::format("probe-is {}", v.text); }
  std::string show(const Unary& v, const Value&) { return fmt::format("{}({})", name_of(v.op), text(v.operand)); }
  std::string show(const Binary& v, const Value&) { return fmt::format("{}({}, {})", name_of(v.op), text(v.left), text(v.right)); }
  std::string show(const Logical& v, const Value&) { return fmt::format("{}({}, {})", v.is_and ? "both" : "either", text(v.left), text(v.right)); }
  std::string show(const Select& v, const Value&) {
    return fmt::format("select({}, {}, {})", text(v.condition), v.then ? text(v.then) : "itself", text(v.otherwise));
  }
  std::string show(const Convert& v, const Value&) { return fmt::format("convert({})", text(v.operand)); }
  std::string show(const CompareStrings& v, const Value&) {
    return fmt::format("{}({}, {}{})", v.negate ? "strings-differ" : "same-strings", text(v.left), text(v.right),
                       v.limit ? fmt::format(", {}", v.limit) : "");
  }
  std::string show(const CompareMemory& v, const Value&) {
    return fmt::format("{}({}, {})", v.negate ? "differ" : "same", text(v.left), text(v.right));
  }
  std::string show(const Dereference& v, const Value&) { return fmt::format("read{}({})", space(v.address), text(v.address)); }
  std::string show(const ReadString& v, const Value&) { return fmt::format("read-string{}({}{})", space(v.address), text(v.address), rest(v.length)); }
  std::string show(const KernelObject& object) {
    std::string all = object.base.name;
    for (const std::uint32_t offset : object.offsets) all += fmt::format("+{}", offset);
    return all;
  }
  std::string show(const ReadPath& v, const Value&) { return fmt::format("path({})", show(v.object)); }
  std::string show(const SendPacket& v, const Value&) {
    return fmt::format("send-packet {} ({}, {}, {})", v.event, show(v.skb), text(v.length), text(v.offset));
  }
  std::string show(const AskObject& v, const Value&) { return fmt::format("helper-{}({})", v.helper, show(v.object)); }
  std::string show(const ReadBuffer& v, const Value&) { return fmt::format("read-buffer{}({}{})", space(v.address), text(v.address), rest(v.length)); }
  std::string show(const StringLength& v, const Value&) { return fmt::format("length({})", text(v.string)); }
  std::string show(const MakeTuple& v, const Value&) { return fmt::format("({})", list(v.elements)); }
  std::string show(const Member& v, const Value&) { return fmt::format("member({}, {})", text(v.base), v.field); }
  std::string show(const Element& v, const Value&) { return fmt::format("element({}, {})", text(v.base), text(v.index)); }
  std::string show(const MapGet& v, const Value&) { return element(v.map, v.key); }
  std::string show(const MapGetAggregate& v, const Value&) { return fmt::format("over-cpus({})", element(v.map, v.key)); }
  std::string show(const MapHas& v, const Value&) { return fmt::format("has({})", element(v.map, v.key)); }
  std::string show(const MapDelete& v, const Value&) { return fmt::format("delete({})", element(v.map, v.key)); }
  std::string show(const MapLength& v, const Value&) { return fmt::format("entries({})", program_.maps[v.map].name); }
  std::string show(const IncrementSlot& v, const Value&) { return fmt::format("increment{}(slot {}, {})", old(v.want_old), v.slot, v.delta); }
  std::string show(const IncrementMap& v, const Value&) { return fmt::format("increment{}({}, {})", old(v.want_old), element(v.map, v.key), v.delta); }
  std::string show(const CaptureStack& v, const Value& value) { return fmt::format("capture({}{}{})", value.type.count, show(v.unwinding), show(v.frames)); }
  std::string show(const StackLength& v, const Value&) {
    return fmt::format("{}-stack-length({}{}{})", v.user ? "user" : "kernel", v.limit_given ? std::to_string(v.limit) : "all", show(v.unwinding),
                       show(v.frames));
  }
  static std::string_view show(StackFrames frames) {
    switch (frames) {
      case StackFrames::Native: return "";
      case StackFrames::Python: return ", python";
      case StackFrames::Mixed: return ", mixed";
    }
    TRC_UNREACHABLE("frames");
  }
  static std::string_view show(Unwinding unwinding) {
    switch (unwinding) {
      case Unwinding::Setting: return "";
      case Unwinding::Auto: return ", auto";
      case Unwinding::FramePointers: return ", fp";
      case Unwinding::Tables: return ", dwarf";
    }
    TRC_UNREACHABLE("unwinding");
  }
  std::string show(const CallFunction& v, const Value&) { return fmt::format("{}({})", program_.functions[v.function].code.name, list(v.args)); }
  std::string show(const FrameCount& v, const Value&) { return fmt::format("frames({})", text(v.stack)); }
  std::string show(const MakeSymbol& v, const Value&) { return fmt::format("symbol({})", text(v.address)); }
  std::string show(const KernelAddress& v, const Value&) { return "kernel-address " + v.symbol; }
  std::string show(const SlotAddress& v, const Value&) { return fmt::format("address-of ${}", v.slot); }
  std::string show(const MapAddress& v, const Value&) { return "address-of " + program_.maps[v.map].name; }
  std::string show(const TextTable& v, const Value&) { return fmt::format("text({} of {})", text(v.index), v.texts.size()); }
  std::string show(const MakeInet& v, const Value&) { return fmt::format("inet{}({})", v.is_v6 ? 6 : 4, text(v.address)); }
  std::string show(const MakeTimestamp& v, const Value&) { return fmt::format("timestamp({}, clock {})", text(v.ns), v.clock); }
  std::string show(const Sequence& v, const Value&) {
    Dumper inner(program_);
    inner.dump(v.before);
    std::string before;
    for (char c : inner.text_) before += c == '\n' ? ';' : c;
    return fmt::format("{{{} {}}}", before, text(v.value));
  }

  static const char* old(bool want_old) { return want_old ? "-after" : ""; }
  static std::string space(const ValuePtr& address) {
    switch (address->type.space) {
      case lang::AddressSpace::None: return "";
      case lang::AddressSpace::Kernel: return "-kernel";
      case lang::AddressSpace::User: return "-user";
      case lang::AddressSpace::Bpf: return "-bpf";
    }
    TRC_UNREACHABLE("address space");
  }
  std::string rest(const ValuePtr& value) { return value ? ", " + text(value) : ""; }

  const TypedProgram& program_;
  std::string text_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string dump(const TypedProgram& program) { return Dumper(program).run(); }

}  // namespace trc::typed
