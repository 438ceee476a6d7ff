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

bool is_loop(const Statement& statement) {
  return std::holds_alternative<While>(statement.op) || std::holds_alternative<ForRange>(statement.op) || std::holds_alternative<ForMap>(statement.op);
}

template <class Node>
bool node_leaves_loop(const Node& node) {
  bool found = false;
  const Parts parts{[&](const Value& part) { found = found || node_leaves_loop(part); },
                    [&](const Statement& part) { found = found || node_leaves_loop(part); }};
  if constexpr (std::is_same_v<Node, Statement>) {
    if (std::holds_alternative<Break>(node.op) || std::holds_alternative<Continue>(node.op)) return true;
    if (is_loop(node)) return false;   // its own
  }
  std::visit(parts, node.op);
  return found;
}

template <class Node>
bool node_takes_stacks(const Node& node) {
  if constexpr (std::is_same_v<Node, Value>) {
    if (std::holds_alternative<CaptureStack>(node.op) || std::holds_alternative<StackLength>(node.op)) return true;
  }
  bool found = false;
  const Parts parts{[&](const Value& part) { found = found || node_takes_stacks(part); }, [&](const Statement& part) { found = found || node_takes_stacks(part); }};
  std::visit(parts, node.op);
  return found;
}

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

template <class Node>
bool node_leaves_program(const Node& node) {
  bool found = false;
  const Parts parts{[&](const Value& part) { found = found || node_leaves_program(part); },
                    [&](const Statement& part) { found = found || node_leaves_program(part); }};
  if constexpr (std::is_same_v<Node, Statement>) {
    if (const auto* end = std::get_if<Return>(&node.op)) found = end->leaves_program;
  }
  std::visit(parts, node.op);
  return found;
}

/// An update of a map is a look-up, an insertion and what to do when either fails.
constexpr std::size_t kMapWeight = 5, kAggregateWeight = 15;

template <class Node>
std::size_t node_weight(const Node& node) {
  std::size_t sum = 1;
  if constexpr (std::is_same_v<Node, Statement>) {
    if (std::holds_alternative<MapSet>(node.op) || std::holds_alternative<MapAdd>(node.op) || std::holds_alternative<Emit>(node.op)) sum = kMapWeight;
    if (std::holds_alternative<MapAggregate>(node.op)) sum = kAggregateWeight;
  }
  const Parts parts{[&](const Value& part) { sum += node_weight(part); }, [&](const Statement& part) { sum += node_weight(part); }};
  std::visit(parts, node.op);
  return sum;
}

}  // namespace

bool writes(const Value& value) {
  const bool itself = std::holds_alternative<Sequence>(value.op) || std::holds_alternative<IncrementSlot>(value.op) ||
                      std::holds_alternative<IncrementMap>(value.op) || std::holds_alternative<MapDelete>(value.op) ||
                      std::holds_alternative<CallFunction>(value.op);
  if (itself) return true;
  bool found = false;
  std::visit(Parts{[&](const Value& part) { found = found || writes(part); }, [&](const Statement&) { found = true; }}, value.op);
  return found;
}

std::size_t weight(const Statement& statement) { return node_weight(statement); }

bool take_stacks(const Statements& body) {
  return std::any_of(body.begin(), body.end(), [](const Statement& statement) { return node_takes_stacks(statement); });
}

std::set<SlotId> changed_slots(const Statements& body, const Value* condition) {
  std::set<SlotId> slots;
  for (const Statement& statement : body) add_changed_slots(statement, slots);
  if (condition) add_changed_slots(*condition, slots);
  return slots;
}

bool leaves_program(const Statement& statement) { return node_leaves_program(statement); }

bool leaves_loop(const Statement& statement) { return node_leaves_loop(statement); }

}  // namespace trc::codegen
