#include "codegen/effects.h"

namespace trc::codegen {
namespace {

using namespace typed;

bool any(const ValuePtr& value) { return value && writes(*value); }
bool any(const std::vector<ValuePtr>& values) {
  for (const ValuePtr& value : values) {
    if (any(value)) return true;
  }
  return false;
}

struct Writes {
  // What changes something itself.
  bool operator()(const Sequence&) const { return true; }
  bool operator()(const IncrementSlot&) const { return true; }
  bool operator()(const IncrementMap&) const { return true; }
  bool operator()(const MapDelete&) const { return true; }
  bool operator()(const CallFunction&) const { return true; }
  // Leaves.
  bool operator()(const Constant&) const { return false; }
  bool operator()(const StringConstant&) const { return false; }
  bool operator()(const LoadSlot&) const { return false; }
  bool operator()(const ReadContext&) const { return false; }
  bool operator()(const Runtime&) const { return false; }
  bool operator()(const Comm&) const { return false; }
  bool operator()(const ProbeId&) const { return false; }
  bool operator()(const MapLength&) const { return false; }
  bool operator()(const KernelAddress&) const { return false; }
  bool operator()(const CaptureStack&) const { return false; }
  bool operator()(const StackLength&) const { return false; }
  // Operands.
  bool operator()(const CallHelper& op) const { return any(op.args); }
  bool operator()(const CallStdlib& op) const { return any(op.args); }
  bool operator()(const Unary& op) const { return any(op.operand); }
  bool operator()(const Binary& op) const { return any(op.left) || any(op.right); }
  bool operator()(const Logical& op) const { return any(op.left) || any(op.right); }
  bool operator()(const Select& op) const { return any(op.condition) || any(op.then) || any(op.otherwise); }
  bool operator()(const Convert& op) const { return any(op.operand); }
  bool operator()(const CompareStrings& op) const { return any(op.left) || any(op.right); }
  bool operator()(const CompareMemory& op) const { return any(op.left) || any(op.right); }
  bool operator()(const Dereference& op) const { return any(op.address); }
  bool operator()(const ReadString& op) const { return any(op.address) || any(op.length); }
  bool operator()(const ReadBuffer& op) const { return any(op.address) || any(op.length); }
  bool operator()(const StringLength& op) const { return any(op.string); }
  bool operator()(const MakeTuple& op) const { return any(op.elements); }
  bool operator()(const Member& op) const { return any(op.base); }
  bool operator()(const Element& op) const { return any(op.base) || any(op.index); }
  bool operator()(const MapGet& op) const { return any(op.key); }
  bool operator()(const MapGetAggregate& op) const { return any(op.key); }
  bool operator()(const MapHas& op) const { return any(op.key); }
  bool operator()(const MakeSymbol& op) const { return any(op.address); }
  bool operator()(const TextTable& op) const { return any(op.index); }
  bool operator()(const MakeInet& op) const { return any(op.address); }
  bool operator()(const MakeTimestamp& op) const { return any(op.ns); }
};

}  // namespace

bool writes(const Value& value) { return std::visit(Writes{}, value.op); }

}  // namespace trc::codegen
