#include "codegen/effects.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <set>
#include <type_traits>

namespace trc::codegen {
namespace {

using namespace typed;

/// What a value or statement is made of.
struct Parts {
  std::function<void(const Value&)> value;
  std::function<void(const Statement&)> statement;

  void of(const ValuePtr& one) const {
    if (one) value(*one);
  }
  void of(const std::vector<ValuePtr>& all) const {
    for (const ValuePtr& one : all) of(one);
  }
  void of(const Statements& all) const {
    for (const Statement& one : all) statement(one);
  }

  // ---- values: leaves ----
  void operator()(const Constant&) const {}
  void operator()(const StringConstant&) const {}
  void operator()(const LoadSlot&) const {}
  void operator()(const ReadContext&) const {}
  void operator()(const Runtime&) const {}
  void operator()(const Comm&) const {}
  void operator()(const ReadPath&) const {}
  void operator()(const AskObject&) const {}
  void operator()(const SendPacket& op) const { of(op.length), of(op.offset); }
  void operator()(const ProbeId&) const {}
  void operator()(const ProbeIs&) const {}
  void operator()(const MapLength&) const {}
  void operator()(const KernelAddress&) const {}
  void operator()(const SlotAddress&) const {}
  void operator()(const MapAddress&) const {}
  void operator()(const CaptureStack&) const {}
  void operator()(const StackLength&) const {}
  void operator()(const IncrementSlot&) const {}
  // ---- with operands ----
  void operator()(const CallHelper& op) const { of(op.args); }
  void operator()(const CallStdlib& op) const { of(op.args); }
  void operator()(const Unary& op) const { of(op.operand); }
  void operator()(const Binary& op) const { of(op.left), of(op.right); }
  void operator()(const Logical& op) const { of(op.left), of(op.right); }
  void operator()(const Select& op) const { of(op.condition), of(op.then), of(op.otherwise); }
  void operator()(const Convert& op) const { of(op.operand); }
  void operator()(const CompareStrings& op) const { of(op.left), of(op.right); }
  void operator()(const CompareMemory& op) const { of(op.left), of(op.right); }
  void operator()(const Dereference& op) const { of(op.address); }
  void operator()(const ReadString& op) const { of(op.address), of(op.length); }
  void operator()(const ReadBuffer& op) const { of(op.address), of(op.length); }
  void operator()(const StringLength& op) const { of(op.string); }
  void operator()(const MakeTuple& op) const { of(op.elements); }
  void operator()(const Member& op) const { of(op.base); }
  void operator()(const Element& op) const { of(op.base), of(op.index); }
  void operator()(const MapGet& op) const { of(op.key); }
  void operator()(const MapGetAggregate& op) const { of(op.key); }
  void operator()(const MapHas& op) const { of(op.key); }
  void operator()(const MapDelete& op) const { of(op.key); }
  void operator()(const IncrementMap& op) const { of(op.key); }
  void operator()(const FrameCount& op) const { of(op.stack); }
  void operator()(const MakeSymbol& op) const { of(op.address); }
  void operator()(const MakeTimestamp& op) const { of(op.ns); }
  void operator()(const TextTable& op) const { of(op.index); }
  void operator()(const MakeInet& op) const { of(op.address); }
  void operator()(const CallFunction& op) const { of(op.args); }
  void operator()(const Sequence& op) const { of(op.before), of(op.value); }
  // ---- statements ----
  void operator()(const Evaluate& op) const { of(op.value); }
  void operator()(const StoreSlot& op) const { of(op.value); }
  void operator()(const ZeroSlot&) const {}
  void operator()(const MapSet& op) const { of(op.key), of(op.value); }
  void operator()(const MapAdd& op) const { of(op.key), of(op.delta); }
  void operator()(const MapAggregate& op) const { of(op.key), of(op.argument); }
  void operator()(const Emit& op) const { of(op.fields); }
  void operator()(const EmitJoin& op) const { of(op.array); }
  void operator()(const PrintToFile& op) const { of(op.values); }
  void operator()(const If& op) const { of(op.condition), of(op.then), of(op.otherwise); }
  void operator()(const While& op) const { of(op.condition), of(op.body); }
  void operator()(const ForRange& op) const { of(op.from), of(op.to), of(op.body); }
  void operator()(const ForMap& op) const { of(op.body); }
  void operator()(const Break&) const {}
  void operator()(const Continue&) const {}
  void operator()(const Return& op) const { of(op.value); }
};

template <class... Operations, class Node>
bool is_any_of(const Node& node) { return (std::holds_alternative<Operations>(node.op) || ...); }

bool is_loop(const Statement& statement) { return is_any_of<While, ForRange, ForMap>(statement); }

enum class Finding { Yes, No, LookInside };

/// Whether `find` says Yes of the value or statement, or of a part of it where it says that parts count.
template <class Node, class Find>
bool has(const Node& node, const Find& find) {
  const Finding itself = find(node);
  if (itself != Finding::LookInside) return itself == Finding::Yes;
  bool found = false;
  const Parts parts{[&](const Value& part) { found = found || has(part, find); }, [&](const Statement& part) { found = found || has(part, find); }};
  std::visit(parts, node.op);
  return found;
}

struct LeavesLoop {
  Finding operator()(const Value&) const { return Finding::LookInside; }
  Finding operator()(const Statement& statement) const {
    if (is_any_of<Break, Continue>(statement)) return Finding::Yes;
    return is_loop(statement) ? Finding::No : Finding::LookInside;   // a loop in it is left itself
  }
};

struct TakesStacks {
  Finding operator()(const Value& value) const { return is_any_of<CaptureStack, StackLength>(value) ? Finding::Yes : Finding::LookInside; }
  Finding operator()(const Statement&) const { return Finding::LookInside; }
};

struct LeavesProgram {
  Finding operator()(const Value&) const { return Finding::LookInside; }
  Finding operator()(const Statement& statement) const {
    const auto* end = std::get_if<Return>(&statement.op);
    return end && end->leaves_program ? Finding::Yes : Finding::LookInside;
  }
};

struct Writes {
  Finding operator()(const Value& value) const {
    return is_any_of<Sequence, IncrementSlot, IncrementMap, MapDelete, CallFunction>(value) ? Finding::Yes : Finding::LookInside;
  }
  Finding operator()(const Statement&) const { return Finding::Yes; }
};

template <class Node>
void add_changed_slots(const Node& node, std::set<SlotId>& slots) {
  if constexpr (std::is_same_v<Node, Statement>) {
    if (const auto* store = std::get_if<StoreSlot>(&node.op)) slots.insert(store->slot);
    if (const auto* zero = std::get_if<ZeroSlot>(&node.op)) slots.insert(zero->slot);
    if (const auto* loop = std::get_if<ForRange>(&node.op)) slots.insert(loop->variable);
    if (const auto* loop = std::get_if<ForMap>(&node.op)) slots.insert(loop->variable);
  } else if (const auto* increment = std::get_if<IncrementSlot>(&node.op)) {
    slots.insert(increment->slot);
  }
  const Parts parts{[&](const Value& part) { add_changed_slots(part, slots); }, [&](const Statement& part) { add_changed_slots(part, slots); }};
  std::visit(parts, node.op);
}

/// An update of a map is a look-up, an insertion and what to do when either fails.
constexpr std::size_t kMapWeight = 5, kAggregateWeight = 15;

template <class Node>
std::size_t node_weight(const Node& node) {
  std::size_t sum = 1;
  if constexpr (std::is_same_v<Node, Statement>) {
    if (is_any_of<MapSet, MapAdd, Emit>(node)) sum = kMapWeight;
    if (is_any_of<MapAggregate>(node)) sum = kAggregateWeight;
  }
  const Parts parts{[&](const Value& part) { sum += node_weight(part); }, [&](const Statement& part) { sum += node_weight(part); }};
  std::visit(parts, node.op);
  return sum;
}

}  // namespace

bool writes(const Value& value) { return has(value, Writes()); }

std::size_t weight(const Statement& statement) { return node_weight(statement); }

bool take_stacks(const Statements& body) {
  return std::any_of(body.begin(), body.end(), [](const Statement& statement) { return has(statement, TakesStacks()); });
}

std::set<SlotId> changed_slots(const Statements& body, const Value* condition) {
  std::set<SlotId> slots;
  for (const Statement& statement : body) add_changed_slots(statement, slots);
  if (condition) add_changed_slots(*condition, slots);
  return slots;
}

bool leaves_program(const Statement& statement) { return has(statement, LeavesProgram()); }

bool leaves_loop(const Statement& statement) { return has(statement, LeavesLoop()); }

}  // namespace trc::codegen
