// Checks a typed program against the conventions of ast/typed_program.h. A finding is a mistake of ours, never of the user.
#include <utility>

#include <fmt/format.h>

#include "ast/passes/passes.h"

namespace trc::ast {
namespace {

using lang::Type;
using lang::TypeKind;
using namespace trc::typed;   // this file is about nothing else

class Verifier {
 public:
  explicit Verifier(const TypedProgram& program) : program_(program) {}

  std::vector<std::string> run() {
    for (const auto& spec : program_.probes) check(spec.program < program_.programs.size(), "probe without program");
    for (const typed::Map& map : program_.maps) {
      check(!map.value.is(TypeKind::None) && !map.value.is(TypeKind::Void), "map " + map.name + " without value type");
      check(!map.key || map.key->size > 0, "map " + map.name + " without key type");
    }
    for (const typed::Function& function : program_.functions) {
      slots_ = &function.code.slots;
      check(function.parameters <= function.code.slots.size(), "function without slots for its parameters");
      statements(function.code.body);
    }
    for (const typed::Program& program : program_.programs) {
      slots_ = &program.slots;
      check(program.probe < program_.probes.size(), "program without probe");
      statements(program.body);
    }
    return std::move(findings_);
  }

 private:
  void check(bool ok, const std::string& what) {
    if (!ok) findings_.push_back(what);
  }

  void same(const Type& found, const Type& wanted, const std::string& where) {
    check(found == wanted, fmt::format("{}: {} instead of {}", where, lang::type_name(found), lang::type_name(wanted)));
  }

  void is_bool(const ValuePtr& value, const std::string& where) {
    if (expect(value, where)) same(value->type, lang::make_bool(), where);
  }

  void is_wide(const ValuePtr& value, const std::string& where) {
    if (!expect(value, where)) return;
    const Type& type = value->type;
    check((type.is_integer() && type.size == 8) || type.is(TypeKind::Bool) || type.is(TypeKind::Pointer),
          fmt::format("{}: operand {} is not 64 bits wide", where, lang::type_name(type)));
  }

  bool expect(const ValuePtr& value, const std::string& where) {
    check(value != nullptr, where + ": value missing");
    if (value) visit(value);
    return value != nullptr;
  }

  void key(MapId map, const ValuePtr& value, const std::string& where) {
    if (map >= program_.maps.size()) return check(false, where + ": no such map");
    const auto& wanted = program_.maps[map].key;
    check(wanted.has_value() == (value != nullptr), where + ": key of " + program_.maps[map].name);
    if (value) visit(value);
    if (value && wanted) same(value->type, *wanted, where + ": key of " + program_.maps[map].name);
  }

  void slot(SlotId id, const Type& type, const std::string& where) {
    if (id >= slots_->size()) return check(false, where + ": no such slot");
    same(type, (*slots_)[id], fmt::format("{} {}", where, id));
  }

  // ---- statements ----
  void statements(const Statements& list) {
    for (const Statement& s : list) {
      std::visit([&](const auto& op) { on(op); }, s.op);
    }
  }
  void on(const Evaluate& s) { expect(s.value, "evaluate"); }
  void on(const StoreSlot& s) {
    if (expect(s.value, "store")) slot(s.slot, s.value->type, "store to slot");
  }
  void on(const ZeroSlot& s) { check(s.slot < slots_->size(), "zero: no such slot"); }
  void on(const MapSet& s) {
    key(s.map, s.key, "set");
    if (expect(s.value, "set")) same(s.value->type, program_.maps[s.map].value, "value of " + program_.maps[s.map].name);
  }
  void on(const MapAdd& s) {
    key(s.map, s.key, "add");
    if (expect(s.delta, "add")) same(s.delta->type, program_.maps[s.map].value, "delta of " + program_.maps[s.map].name);
    check(program_.maps[s.map].value.size == 8, "add to a map of narrow integers");
  }
  void on(const MapAggregate& s) {
    key(s.map, s.key, "aggregate");
    const Type& type = program_.maps[s.map].value;
    check(type.is_aggregate(), "aggregate of a plain map");
    check((s.argument == nullptr) == type.is(TypeKind::Count), "argument of an aggregate");
    if (s.argument) is_wide(s.argument, "aggregate");
  }
  void on(const Emit& s) {
    if (s.event >= program_.events.size()) return check(false, "emit: no such event");
    const auto& fields = program_.events[s.event].fields;
    check(fields.size() == s.fields.size(), "emit: number of fields");
    for (std::size_t i = 0; i < s.fields.size() && i < fields.size(); ++i) {
      if (expect(s.fields[i], "emit")) same(s.fields[i]->type, fields[i].type, "field of an event");
    }
  }
  void on(const EmitJoin& s) {
    check(s.event < program_.events.size(), "join: no such event");
    if (expect(s.array, "join")) check(s.array->type.is(TypeKind::Pointer), "join: not a pointer");
  }
  void on(const PrintToFile& s) {
    for (const ValuePtr& value : s.values) expect(value, "printf to a file");
  }
  void on(const typed::If& s) {
    is_bool(s.condition, "if");
    statements(s.then);
    statements(s.otherwise);
  }
  void on(const typed::While& s) {
    is_bool(s.condition, "while");
    statements(s.body);
  }
  void on(const ForRange& s) {
    slot(s.variable, lang::make_int64(), "range variable");
    if (expect(s.from, "range")) same(s.from->type, lang::make_int64(), "range start");
    if (expect(s.to, "range")) same(s.to->type, lang::make_int64(), "range end");
    statements(s.body);
  }
  void on(const ForMap& s) {
    check(s.map < program_.maps.size() && program_.maps[s.map].key, "for over a map without keys");
    check(s.variable < slots_->size() && (*slots_)[s.variable].is(TypeKind::Tuple), "map loop variable");
    statements(s.body);
  }
  void on(const typed::Break&) {}
  void on(const typed::Continue&) {}
  void on(const typed::Return& s) {
    if (s.value) visit(s.value);
  }

  // ---- values ----
  void visit(const ValuePtr& value) {
    const Type& type = value->type;
    check(!type.is(TypeKind::None) && !type.is(TypeKind::Void), "a value without type");
    std::visit([&](const auto& op) { on(op, type); }, value->op);
  }
  void on(const Constant&, const Type& type) {
    check(type.is_integer() || type.is(TypeKind::Bool), "constant of type " + lang::type_name(type));
  }
  void on(const StringConstant& v, const Type& type) {
    if (type.is(TypeKind::Array)) check(v.bytes.size() == type.size, "bytes of a constant array");
    else check(type.is_string() && v.bytes.size() < type.size, "string constant too long");
  }
  void on(const LoadSlot& v, const Type& type) { slot(v.slot, type, "load of slot"); }
  void on(const ReadContext& v, const Type& type) { same(type, v.value.type, "context value"); }
  void on(const Runtime&, const Type& type) { same(type, lang::make_uint64(), "runtime constant"); }
  void on(const CallHelper& v, const Type&) {
    for (const auto& arg : v.args) is_wide(arg, "helper argument");
  }
  void on(const CallStdlib& v, const Type&) {
    for (const auto& arg : v.args) expect(arg, "library argument");
  }
  void on(const Comm&, const Type& type) { same(type, lang::make_string(16), "comm"); }
  void on(const ProbeIs&, const Type& type) { same(type, lang::make_bool(), "comparison of probe"); }
  void on(const ProbeId&, const Type& type) { same(type, lang::make_probe_name(), "probe"); }
  void on(const typed::Unary& v, const Type&) { is_wide(v.operand, "unary operation"); }
  void on(const typed::Binary& v, const Type&) {
    is_wide(v.left, "left operand");
    is_wide(v.right, "right operand");
  }
  void on(const Logical& v, const Type& type) {
    same(type, lang::make_bool(), "logical operation");
    is_bool(v.left, "logical operation");
    is_bool(v.right, "logical operation");
  }
  void on(const Select& v, const Type& type) {
    if (v.then) {
      is_bool(v.condition, "select");
      if (expect(v.then, "select")) same(v.then->type, type, "select");
    } else if (expect(v.condition, "select")) {
      same(v.condition->type, type, "select");
    }
    if (expect(v.otherwise, "select")) same(v.otherwise->type, type, "select");
  }
  void on(const Convert& v, const Type&) { expect(v.operand, "convert"); }
  void on(const CompareStrings& v, const Type& type) {
    same(type, lang::make_bool(), "string comparison");
    for (const auto* side : {&v.left, &v.right}) {
      if (expect(*side, "string comparison")) check((*side)->type.is_string(), "string comparison of something else");
    }
  }
  void on(const CompareMemory& v, const Type& type) {
    same(type, lang::make_bool(), "comparison");
    if (expect(v.left, "comparison") && expect(v.right, "comparison")) same(v.left->type, v.right->type, "comparison");
  }
  void on(const Dereference& v, const Type&) { address(v.address, "dereference"); }
  void on(const ReadString& v, const Type& type) {
    address(v.address, "str");
    check(type.is_string(), "str");
    if (v.length) is_wide(v.length, "length of str");
  }
  void object(const KernelObject& v) {
    check(std::holds_alternative<lang::ContextSource>(v.base.source) && v.base.type.is(TypeKind::Pointer), "an object that the context does not offer");
    check(!v.offsets.empty(), "an object without its place");
  }
  void on(const ReadPath& v, const Type& type) {
    object(v.object);
    check(type.is_string(), "path");
  }
  void on(const SendPacket& v, const Type&) {
    object(v.skb);
    check(v.event < program_.events.size(), "packet: no such event");
    is_wide(v.length, "length of a packet");
    is_wide(v.offset, "offset in a packet");
  }
  void on(const AskObject& v, const Type& type) {
    object(v.object);
    check(type.is_integer(), "what a helper says");
  }
  void on(const ReadBuffer& v, const Type& type) {
    address(v.address, "buf");
    check(type.is(TypeKind::Buffer), "buf");
    if (v.length) is_wide(v.length, "length of buf");
  }
  void address(const ValuePtr& value, const std::string& where) {
    if (!expect(value, where)) return;
    check(value->type.is(TypeKind::Pointer) && value->type.space != lang::AddressSpace::None, where + ": address without a space");
  }
  void on(const StringLength& v, const Type&) {
    if (expect(v.string, "length")) check(v.string->type.is_string(), "length of something else than a string");
  }
  void on(const MakeTuple& v, const Type& type) {
    check(v.elements.size() == type.fields.size(), "elements of a tuple");
    for (std::size_t i = 0; i < v.elements.size() && i < type.fields.size(); ++i) {
      if (expect(v.elements[i], "tuple")) same(v.elements[i]->type, type.fields[i].type, "element of a tuple");
    }
  }
  void on(const Member& v, const Type& type) {
    if (!expect(v.base, "member")) return;
    check(v.field < v.base->type.fields.size(), "no such member");
    if (v.field < v.base->type.fields.size()) same(type, v.base->type.fields[v.field].type, "member");
  }
  void on(const Element& v, const Type& type) {
    if (expect(v.base, "element")) same(type, v.base->type.is_string() ? lang::make_integer(8, true) : v.base->type.element(), "element");
    is_wide(v.index, "index");
  }
  void on(const MapGet& v, const Type& type) {
    key(v.map, v.key, "get");
    if (v.map < program_.maps.size()) same(type, program_.maps[v.map].value, "value of " + program_.maps[v.map].name);
    check(!type.is_aggregate(), "an aggregate as a value");
  }
  void on(const MapGetAggregate& v, const Type&) { key(v.map, v.key, "get"); }
  void on(const MapHas& v, const Type&) { key(v.map, v.key, "has_key"); }
  void on(const MapDelete& v, const Type&) { key(v.map, v.key, "delete"); }
  void on(const MapLength& v, const Type&) { check(v.map < program_.maps.size() && program_.maps[v.map].key, "len of a scalar map"); }
  void on(const IncrementSlot& v, const Type& type) { slot(v.slot, type, "increment of slot"); }
  void on(const IncrementMap& v, const Type& type) {
    key(v.map, v.key, "increment");
    same(type, program_.maps[v.map].value, "increment of " + program_.maps[v.map].name);
    check(type.size == 8, "increment of a map of narrow integers");
  }
  void on(const CaptureStack&, const Type& type) { check(type.is_stack(), "stack"); }
  void on(const StackLength&, const Type& type) { same(type, lang::make_int64(), "stack length"); }
  void on(const FrameCount& v, const Type& type) {
    same(type, lang::make_int64(), "stack length");
    if (expect(v.stack, "stack length")) check(v.stack->type.is_stack(), "length of something else than a stack");
  }
  void on(const CallFunction& v, const Type&) {
    if (v.function >= program_.functions.size()) return check(false, "call of no function");
    const typed::Function& function = program_.functions[v.function];
    check(v.args.size() == function.parameters, "call of " + function.code.name);
    for (std::size_t i = 0; i < v.args.size() && i < function.parameters; ++i) {
      if (expect(v.args[i], "argument")) same(v.args[i]->type, function.code.slots[i], "argument of " + function.code.name);
    }
  }
  void on(const MakeSymbol& v, const Type&) { is_wide(v.address, "symbol"); }
  void on(const KernelAddress&, const Type& type) { check(type.is_integer() && type.size == 8, "kernel address"); }
  void on(const SlotAddress& v, const Type& type) {
    check(type.is(TypeKind::Pointer) && type.space == lang::AddressSpace::Bpf, "address of a slot");
    if (type.is(TypeKind::Pointer)) slot(v.slot, type.element(), "address of slot");
  }
  void on(const MapAddress& v, const Type& type) {
    check(v.map < program_.maps.size() && type.is(TypeKind::Pointer) && type.space == lang::AddressSpace::Bpf, "address of a map");
  }
  void on(const TextTable& v, const Type& type) {
    is_wide(v.index, "index of a text");
    check(type.is_string() && !v.texts.empty(), "table of texts");
    for (const std::string& text : v.texts) check(text.size() < type.size, "text too long");
  }
  void on(const MakeInet& v, const Type& type) {
    same(type, lang::make_inet(), "inet");
    expect(v.address, "inet");
  }
  void on(const MakeTimestamp& v, const Type&) { is_wide(v.ns, "timestamp"); }
  void on(const Sequence& v, const Type& type) {
    statements(v.before);
    if (expect(v.value, "sequence")) same(type, v.value->type, "sequence");
  }

  const TypedProgram& program_;
  const std::vector<Type>* slots_ = nullptr;
  std::vector<std::string> findings_;
};

}  // namespace

std::vector<std::string> verify(const TypedProgram& program) { return Verifier(program).run(); }

}  // namespace trc::ast
