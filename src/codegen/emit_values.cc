// Values: which operation becomes which instructions. Arithmetic is in emit_arith.cc.
#include <linux/bpf.h>
#include <llvm/IR/InlineAsm.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/assert.h"
#include "codegen/effects.h"
#include "codegen/function_emitter.h"

namespace trc::codegen {
namespace {

template <class... F>
struct Overloaded : F... { using F::operator()...; };
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

/// Helpers whose result stays the same during one run: a second call may be dropped.
bool is_constant_in_a_run(int helper) {
  switch (helper) {
    case BPF_FUNC_get_smp_processor_id:
    case BPF_FUNC_get_current_pid_tgid:
    case BPF_FUNC_get_current_uid_gid:
    case BPF_FUNC_get_current_task:
    case BPF_FUNC_get_numa_node_id:
    case BPF_FUNC_get_current_cgroup_id:
    case BPF_FUNC_get_attach_cookie: return true;
    default: return false;
  }
}

/// A text in a structure that was copied from elsewhere: what stands behind its NUL is anything.
bool is_foreign_text(const typed::Member& op, const lang::Type& type) { return type.is_string() && op.base->type.is(lang::TypeKind::Struct); }

}  // namespace

bool is_scalar(const lang::Type& type) {
  using enum lang::TypeKind;
  switch (type.kind) {
    case Void:
    case Bool:
    case Integer:
    case Pointer:
    case ProbeName:
    case Username:
    case CgroupPath: return true;
    case String:
    case Buffer:
    case Array:
    case Struct:
    case Tuple:
    case Record:
    case Timestamp:
    case KernelStack:
    case UserStack:
    case KernelSymbol:
    case UserSymbol:
    case MacAddress:
    case Inet: return false;
    case Count:   // a map's value; read as an integer through MapGetAggregate
    case Sum:
    case Min:
    case Max:
    case Avg:
    case Stats:
    case Histogram:
    case LinearHistogram:
    case TimeSeries: return false;
    case None: break;
  }
  TRC_UNREACHABLE("a value without a type reached code generation");
}

llvm::Value* FunctionEmitter::helper(int id, llvm::ArrayRef<llvm::Value*> arguments, llvm::Type* result) {
  llvm::SmallVector<llvm::Type*, 5> types;
  for (llvm::Value* argument : arguments) types.push_back(argument->getType());
  auto* type = llvm::FunctionType::get(result ? result : builder_.getInt64Ty(), types, false);
  auto* target = llvm::ConstantExpr::getIntToPtr(i64(static_cast<std::uint64_t>(id)), pointer_type());
  auto* call = builder_.CreateCall(type, target, arguments);
  call->setDoesNotThrow();
  if (is_constant_in_a_run(id)) {
    call->setMemoryEffects(llvm::MemoryEffects::none());
    call->addFnAttr(llvm::Attribute::WillReturn);
  }
  return call;
}

llvm::Value* FunctionEmitter::opaque(llvm::Value* value) {
  auto* type = llvm::FunctionType::get(value->getType(), {value->getType()}, false);
  return builder_.CreateCall(llvm::InlineAsm::get(type, "", "=r,0", true), {value});
}

/// A copy for a comparison. What the verifier learns from the outcome, it learns of the copy alone: two paths that differ in what is known
/// of a value of the script would both have to be followed to the end, and a block with many comparisons grows beyond the verifier's limit.
llvm::Value* FunctionEmitter::compared(llvm::Value* value) {
  if (llvm::isa<llvm::Constant>(value)) return value;
  auto* type = llvm::FunctionType::get(value->getType(), {value->getType()}, false);
  return builder_.CreateCall(llvm::InlineAsm::get(type, "$0 ^= 0", "=r,0", true), {value});
}

/// Brings a computed 64-bit value into the range of its type.
llvm::Value* FunctionEmitter::normalise(llvm::Value* value, const lang::Type& type) {
  if (type.is(lang::TypeKind::Bool)) return builder_.CreateZExt(builder_.CreateIsNotNull(value), builder_.getInt64Ty());
  if (type.size == 0 || type.size >= 8) return value;
  auto* narrow = builder_.CreateTrunc(value, builder_.getIntNTy(type.size * 8));
  return type.is_signed ? builder_.CreateSExt(narrow, builder_.getInt64Ty()) : builder_.CreateZExt(narrow, builder_.getInt64Ty());
}

/// Process id << 32 | thread id, as user space has them.
llvm::Value* FunctionEmitter::process_ids() { return builder_.CreateCall(module_.library_function("trc_pid_tgid")); }

llvm::Value* FunctionEmitter::condition(const typed::Value& value) {
  llvm::Value* number = scalar(value);
  const bool is_outcome = llvm::isa<llvm::ZExtInst>(number);   // of a comparison
  return builder_.CreateIsNotNull(is_outcome ? number : compared(number));
}

llvm::Value* FunctionEmitter::scalar(const typed::Value& value) {
  using namespace typed;
  LocationScope location(*this, value.span);
  const lang::Type& type = value.type;
  return std::visit(
      Overloaded{
          [&](const Constant& op) -> llvm::Value* { return i64(op.bits); },
          [&](const LoadSlot& op) -> llvm::Value* { return load_scalar(slot(op.slot), type); },
          [&](const ReadContext& op) -> llvm::Value* { return read_context(op.value); },
          [&](const Runtime& op) -> llvm::Value* { return runtime_constant(op.which); },
          [&](const CallHelper& op) -> llvm::Value* { return emit_call(op, type); },
          [&](const CallStdlib& op) -> llvm::Value* { return emit_call(op, type); },
          [&](const ProbeId&) -> llvm::Value* {
            const ProbeSpec& probe = module_.program.probes[state_.program.probe];
            if (!probe.needs_cookie) return i64(state_.program.probe);
            llvm::Value* cookie = helper(BPF_FUNC_get_attach_cookie, {context()});
            return state_.program.compared.empty() ? cookie : builder_.CreateAnd(cookie, i64(0xffffffff));
          },
          [&](const ProbeIs& op) -> llvm::Value* {   // the runner marks the places in the upper half of the cookie
            return builder_.CreateAnd(builder_.CreateLShr(helper(BPF_FUNC_get_attach_cookie, {context()}), image::kCookieMarks + op.text), i64(1));
          },
          [&](const Unary& op) -> llvm::Value* { return emit_unary(op, type); },
          [&](const Binary& op) -> llvm::Value* { return normalise(emit_binary(op, value), type); },
          [&](const Logical& op) -> llvm::Value* { return emit_logical(op); },
          [&](const Select& op) -> llvm::Value* { return emit_select(op); },
          [&](const Convert& op) -> llvm::Value* { return emit_convert(op, type); },
          [&](const CompareStrings& op) -> llvm::Value* { return compare_strings(op); },
          [&](const CompareMemory& op) -> llvm::Value* {
            const Place left = address(*op.left), right = address(*op.right);
            auto* equal = compare_memory(left, right, op.left->type);
            return builder_.CreateZExt(op.negate ? builder_.CreateNot(equal) : equal, builder_.getInt64Ty());
          },
          [&](const Dereference& op) -> llvm::Value* { return read_scalar(scalar(op.address), op.address->type.space, type); },
          [&](const StringLength& op) -> llvm::Value* {
            const Place place = address(*op.string);
            return builder_.CreateCall(module_.library_function("trc_string_length"), {place.pointer, builder_.getInt32(op.string->type.size)});
          },
          [&](const Member& op) -> llvm::Value* {
            const lang::Field& field = op.base->type.fields[op.field];
            if (const auto* read = std::get_if<Dereference>(&op.base->op); read && field.bit_size == 0) {  // only the bytes asked for
              return read_scalar(builder_.CreateAdd(scalar(read->address), i64(field.offset)), read->address->type.space, field.type);
            }
            return load_field(address(*op.base), field);
          },
          [&](const Element& op) -> llvm::Value* { return load_scalar(element(op, value.span), type); },
          [&](const MapGet& op) -> llvm::Value* { return map_get(op, type); },
          [&](const MapGetAggregate& op) -> llvm::Value* { return normalise(aggregate_value(op.map, key_pointer(op.map, op.key)), type); },
          [&](const MapHas& op) -> llvm::Value* { return map_has(op); },
          [&](const MapDelete& op) -> llvm::Value* { return map_delete(op, value.span); },
          [&](const MapLength& op) -> llvm::Value* { return map_length(op, value.span); },
          [&](const IncrementSlot& op) -> llvm::Value* { return emit_increment(op); },
          [&](const IncrementMap& op) -> llvm::Value* { return normalise(increment_map(op, value.span), type); },
          [&](const StackLength& op) -> llvm::Value* { return stack_length(op); },
          [&](const FrameCount& op) -> llvm::Value* {
            return load_scalar(offset(address(*op.stack), lang::kStackFramesOffset), lang::make_integer(32, false));
          },
          [&](const CallFunction& op) -> llvm::Value* { return normalise(call_function(op, nullptr), type); },
          [&](const Sequence& op) -> llvm::Value* {
            emit_before(op.before);
            return op.value ? scalar(op.value) : i64(0);
          },
          [](const StringConstant&) -> llvm::Value* { TRC_UNREACHABLE("a string is not a scalar"); },
          [](const Comm&) -> llvm::Value* { TRC_UNREACHABLE("comm is not a scalar"); },
          [&](const AskObject& op) -> llvm::Value* { return normalise(ask_object(op), type); },
          [&](const SendPacket& op) -> llvm::Value* { return send_packet(op); },
          [](const ReadString&) -> llvm::Value* { TRC_UNREACHABLE("a string is not a scalar"); },
          [](const ReadPath&) -> llvm::Value* { TRC_UNREACHABLE("a string is not a scalar"); },
          [](const ReadBuffer&) -> llvm::Value* { TRC_UNREACHABLE("a buffer is not a scalar"); },
          [](const MakeTuple&) -> llvm::Value* { TRC_UNREACHABLE("a tuple is not a scalar"); },
          [](const CaptureStack&) -> llvm::Value* { TRC_UNREACHABLE("a stack is not a scalar"); },
          [](const MakeSymbol&) -> llvm::Value* { TRC_UNREACHABLE("a symbol is not a scalar"); },
          [&](const KernelAddress& op) -> llvm::Value* {
            return builder_.CreateAlignedLoad(builder_.getInt64Ty(), module_.kernel_address(op.symbol, value.span), llvm::Align(8), true);
          },
          [&](const SlotAddress& op) -> llvm::Value* { return as_number(slot(op.slot).pointer); },
          [&](const MapAddress& op) -> llvm::Value* { return as_number(module_.map(op.map)); },
          [](const TextTable&) -> llvm::Value* { TRC_UNREACHABLE("a string is not a scalar"); },
          [](const MakeInet&) -> llvm::Value* { TRC_UNREACHABLE("an address is not a scalar"); },
          [](const MakeTimestamp&) -> llvm::Value* { TRC_UNREACHABLE("a timestamp is not a scalar"); },
      },
      value.op);
}

Place FunctionEmitter::address(const typed::Value& value) {
  using namespace typed;
  LocationScope location(*this, value.span);
  TRC_ASSERT(!is_scalar(value.type));
  if (const auto* op = std::get_if<LoadSlot>(&value.op)) return slot(op->slot);
  if (const auto* op = std::get_if<MapGet>(&value.op)) return map_get_address(*op, value.type);
  if (const auto* op = std::get_if<Element>(&value.op)) return element(*op, value.span);
  if (const auto* op = std::get_if<StringConstant>(&value.op)) return {module_.text(op->bytes, value.type.size), llvm::Align(8)};
  if (const auto* op = std::get_if<Member>(&value.op);
      op && !std::holds_alternative<Dereference>(op->base->op) && !is_foreign_text(*op, value.type)) {
    return offset(address(*op->base), op->base->type.fields[op->field].offset);
  }
  if (const auto* op = std::get_if<Sequence>(&value.op)) {
    emit_before(op->before);
    return address(*op->value);
  }
  if (const auto* op = std::get_if<Select>(&value.op)) return select_in_memory(*op, value.type);
  if (const auto* op = std::get_if<CallFunction>(&value.op)) {
    const Place result = temporary(value.type.size);
    call_function(*op, result.pointer);
    return result;
  }
  if (const auto* op = std::get_if<TextTable>(&value.op)) return text_of(*op, value.type.size);
  const Place place = temporary(value.type.size);
  store(value, place);
  return place;
}

Store FunctionEmitter::prepare(const typed::Value& value, Tail tail) {
  Store write = prepare_here(value, tail);
  if (!module_.report_reads) return write;
  return [this, write, span = value.span](Place to) {   // a read that fails there is reported as this value's
    LocationScope location(*this, span);
    write(to);
  };
}

Store FunctionEmitter::prepare_here(const typed::Value& value, Tail tail) {
  using namespace typed;
  LocationScope location(*this, value.span);
  const lang::Type& type = value.type;
  if (is_scalar(type)) {
    llvm::Value* computed = scalar(value);
    return [this, computed, &type](Place to) { store_scalar(computed, type, to); };
  }
  auto by_copy = [&]() -> Store {
    const Place from = address(value);
    return [this, from, &type](Place to) { copy(to, from, type.size); };
  };
  return std::visit(
      Overloaded{
          [&](const StringConstant& op) -> Store { return [this, &op, &type](Place to) { write_text(to, op.bytes, type.size); }; },
          [&](const LoadSlot&) { return by_copy(); },
          [&](const MapGet&) { return by_copy(); },
          [&](const Element&) { return by_copy(); },
          [&](const TextTable&) { return by_copy(); },
          [&](const CallStdlib& op) -> Store {
            llvm::Function* function = library(op.symbol);
            const llvm::SmallVector<llvm::Value*, 6> arguments = library_arguments(function, 1, op.args);
            return [this, function, arguments, &type](Place to) {
              zero(to, type.size);
              llvm::SmallVector<llvm::Value*, 7> all{to.pointer};
              all.append(arguments.begin(), arguments.end());
              builder_.CreateCall(function, all);
            };
          },
          [&](const MakeInet& op) { return make_inet(op, type); },
          [&](const Select&) { return by_copy(); },
          [&](const CallFunction&) { return by_copy(); },
          [&](const ReadContext& op) { return prepare_context(op.value); },
          [&](const Comm&) -> Store {
            return [this, &type](Place to) { helper(BPF_FUNC_get_current_comm, {to.pointer, i64(type.size)}); };
          },
          [&](const Convert& op) -> Store {
            const lang::Type& from_type = op.operand->type;
            if (type.is_string()) {
              // In place: the shorter string at the start, then zeros.
              if (const auto* text = std::get_if<StringConstant>(&op.operand->op)) {
                return [this, text, &type](Place to) { write_text(to, text->bytes, type.size); };
              }
              Store inner = prepare(*op.operand, tail);
              const std::uint32_t size = std::min(from_type.size, type.size);
              return [this, inner, size, &type, tail](Place to) {
                inner(to);
                if (tail == Tail::Zero) return zero(offset(to, size), type.size - size);
                if (size < type.size) builder_.CreateAlignedStore(builder_.getInt8(0), offset(to, size).pointer, llvm::Align(1));
              };
            }
            if (is_scalar(from_type)) {   // the bytes of a number, as an array
              llvm::Value* number = scalar(op.operand);
              return [this, number, &from_type](Place to) { store_scalar(number, from_type, to); };
            }
            const Place from = address(*op.operand);
            return [this, from, &from_type, &type](Place to) { convert_in_memory(from, from_type, to, type); };
          },
          [&](const Dereference& op) -> Store {
            llvm::Value* from = scalar(op.address);
            const lang::AddressSpace space = op.address->type.space;
            return [this, from, space, &type](Place to) { read_memory(to, i64(type.size), from, space); };
          },
          [&](const ReadString& op) -> Store {
            llvm::Value* from = scalar(op.address);
            llvm::Value* length = op.length ? scalar(op.length) : nullptr;
            const lang::AddressSpace space = op.address->type.space;
            return [this, from, length, space, tail, &type](Place to) { read_string(to, type.size, length, from, space, tail); };
          },
          [&](const ReadPath& op) { return read_path(op, type.size, tail); },
          [&](const ReadBuffer& op) -> Store {
            llvm::Value* from = scalar(op.address);
            llvm::Value* length = op.length ? scalar(op.length) : nullptr;
            const lang::AddressSpace space = op.address->type.space;
            return [this, from, length, space, &type](Place to) { read_buffer(to, type.size - 4, length, from, space); };
          },
          [&](const MakeTuple& op) -> Store {
            std::vector<Store> elements;
            for (std::size_t i = 0; i < op.elements.size(); ++i) {
              const bool later = std::any_of(op.elements.begin() + static_cast<std::ptrdiff_t>(i) + 1, op.elements.end(),
                                             [](const ValuePtr& v) { return writes(*v); });
              elements.push_back(prepare_before(*op.elements[i], Tail::Zero, later));
            }
            return [this, elements, &type](Place to) {
              zero_padding(type, to);
              for (std::size_t i = 0; i < elements.size(); ++i) elements[i](offset(to, type.fields[i].offset));
            };
          },
          [&](const Member& op) -> Store {
            const lang::Field& field = op.base->type.fields[op.field];
            if (const auto* read = std::get_if<Dereference>(&op.base->op)) {
              llvm::Value* from = builder_.CreateAdd(scalar(read->address), i64(field.offset));
              const lang::AddressSpace space = read->address->type.space;
              return [this, from, space, &type](Place to) { read_memory(to, i64(type.size), from, space); };
            }
            if (!is_foreign_text(op, type)) return by_copy();
            const Place inside = offset(address(*op.base), field.offset);
            llvm::Value* from = builder_.CreatePtrToInt(inside.pointer, builder_.getInt64Ty());
            return [this, from, tail, &type](Place to) { read_string(to, type.size, nullptr, from, lang::AddressSpace::Kernel, tail); };
          },
          [&](const CaptureStack& op) { return capture_stack(op, type); },
          [&](const MakeSymbol& op) -> Store {
            llvm::Value* symbol = scalar(op.address);
            if (type.is(lang::TypeKind::KernelSymbol)) {
              return [this, symbol](Place to) { builder_.CreateAlignedStore(symbol, to.pointer, to.align); };
            }
            auto* pid = builder_.CreateLShr(process_ids(), 32);
            return [this, symbol, pid](Place to) {
              builder_.CreateAlignedStore(symbol, to.pointer, to.align);
              const Place second = offset(to, 8);  // u32 pid, u32 zero
              builder_.CreateAlignedStore(pid, second.pointer, second.align);
            };
          },
          [&](const MakeTimestamp& op) -> Store {
            llvm::Value* ns = scalar(op.ns);
            const std::uint32_t clock = op.clock;
            return [this, ns, clock](Place to) {
              builder_.CreateAlignedStore(ns, to.pointer, to.align);
              const Place second = offset(to, 8);  // u32 clock, u32 zero
              builder_.CreateAlignedStore(i64(clock), second.pointer, second.align);
            };
          },
          [&](const Sequence& op) {
            emit_before(op.before);
            return prepare(*op.value, tail);
          },
          [](const auto&) -> Store { TRC_UNREACHABLE("a scalar operation has a type that lies in memory"); },
      },
      value.op);
}

Store FunctionEmitter::prepare_before(const typed::Value& value, Tail tail, bool later_writes) {
  if (is_scalar(value.type) && module_.budget.temporaries == 0) {   // many at once would fill the stack
    llvm::Value* computed = scalar(value);
    if (llvm::isa<llvm::Constant>(computed)) return [this, computed, &value](Place to) { store_scalar(computed, value.type, to); };
    const Place kept = temporary(8);
    builder_.CreateAlignedStore(computed, kept.pointer, kept.align);
    return [this, kept, &value](Place to) { store_scalar(load_scalar(kept, lang::make_uint64()), value.type, to); };
  }
  if (!later_writes || is_scalar(value.type)) return prepare(value, tail);
  const Place kept = temporary(value.type.size);
  store(value, kept);
  const std::uint32_t bytes = value.type.size;
  return [this, kept, bytes](Place to) { copy(to, kept, bytes); };
}

Place FunctionEmitter::select_in_memory(const typed::Select& op, const lang::Type& type) {
  const Place result = temporary(type.size);
  llvm::BasicBlock *yes = block("then"), *no = block("else"), *after = block("after");
  TRC_ASSERT(op.then != nullptr);
  builder_.CreateCondBr(condition(*op.condition), yes, no);
  builder_.SetInsertPoint(yes);
  store(*op.then, result);
  builder_.CreateBr(after);
  builder_.SetInsertPoint(no);
  store(*op.otherwise, result);
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  return result;
}

Place FunctionEmitter::element(const typed::Element& op, Span span) {
  const lang::Type& array = op.base->type;
  const bool is_text = array.is_string();
  const std::uint32_t count = is_text ? array.size : array.count;
  const std::uint32_t bytes = is_text ? 1 : array.element().size;
  const Place base = address(*op.base);
  if (const auto* constant = std::get_if<typed::Constant>(&op.index->op); constant && constant->bits < count) {
    return offset(base, constant->bits * bytes);
  }
  // The verifier must see the comparison of the value that is then used.
  llvm::Value* index = opaque(scalar(op.index));
  llvm::BasicBlock *inside = block("inside"), *outside = block("outside"), *after = block("element");
  builder_.CreateCondBr(builder_.CreateICmpULT(index, i64(count)), inside, outside);
  builder_.SetInsertPoint(inside);
  auto* found = builder_.CreateGEP(builder_.getInt8Ty(), base.pointer, builder_.CreateMul(index, i64(bytes)));
  builder_.CreateBr(after);
  builder_.SetInsertPoint(outside);
  report_error("Array access out of bounds. 0 is read instead.", span);
  llvm::BasicBlock* outside_end = builder_.GetInsertBlock();
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  auto* pointer = builder_.CreatePHI(pointer_type(), 2);
  pointer->addIncoming(found, inside);
  pointer->addIncoming(module_.zeros(bytes), outside_end);
  return {pointer, llvm::commonAlignment(base.align, bytes)};
}

/// Texts lie one after another in read-only data, so one is an address.
Place FunctionEmitter::text_of(const typed::TextTable& op, std::uint32_t capacity) {
  std::string all;
  for (const std::string& text : op.texts) {
    all += text;
    all.resize(all.size() + capacity - text.size());
  }
  const std::uint64_t last = op.texts.size() - 1;
  llvm::Value* index = opaque(scalar(op.index));   // the verifier must see the comparison of the value that is then used
  auto* known = builder_.CreateSelect(builder_.CreateICmpULT(index, i64(last)), index, i64(last));
  auto* table = module_.text(all, static_cast<std::uint32_t>(all.size()));
  return {builder_.CreateGEP(builder_.getInt8Ty(), table, builder_.CreateMul(known, i64(capacity))), llvm::commonAlignment(llvm::Align(8), capacity)};
}

Store FunctionEmitter::make_inet(const typed::MakeInet& op, const lang::Type& type) {
  constexpr std::uint64_t kAddress = 4;   // behind the family
  const std::uint32_t family = op.is_v6 ? AF_INET6 : AF_INET, bytes = op.is_v6 ? 16 : 4;
  const lang::Type& from = op.address->type;
  std::function<void(Place)> write;
  if (from.is(lang::TypeKind::Pointer)) {
    llvm::Value* pointer = scalar(op.address);
    const lang::AddressSpace space = from.space;
    write = [=, this](Place to) { read_memory(to, i64(bytes), pointer, space); };
  } else if (is_scalar(from)) {
    llvm::Value* number = scalar(op.address);
    write = [=, this](Place to) { builder_.CreateAlignedStore(builder_.CreateTrunc(number, builder_.getInt32Ty()), to.pointer, to.align); };
  } else {
    const Place place = address(*op.address);
    write = [=, this](Place to) { copy(to, place, bytes); };
  }
  return [=, this, &type](Place to) {
    zero(to, type.size);
    builder_.CreateAlignedStore(builder_.getInt32(family), to.pointer, to.align);
    write(offset(to, kAddress));
  };
}

llvm::Value* FunctionEmitter::emit_call(const typed::CallHelper& op, const lang::Type& type) {
  llvm::SmallVector<llvm::Value*, 5> arguments;
  if (op.with_context) arguments.push_back(context());
  for (const typed::ValuePtr& argument : op.args) arguments.push_back(scalar(argument));
  llvm::Value* result = helper(op.helper, arguments);
  return type.is(lang::TypeKind::Void) ? i64(0) : normalise(result, type);
}

llvm::Function* FunctionEmitter::library(const std::string& symbol) {
  if (!module_.library_has(symbol)) TRC_UNREACHABLE(symbol.c_str());
  if (symbol == "trc_in_tree") module_.use_process_tree();
  return module_.library_function(symbol);
}

/// The values for the function's parameters from number `first` on.
llvm::SmallVector<llvm::Value*, 6> FunctionEmitter::library_arguments(llvm::Function* function, unsigned first, const std::vector<typed::ValuePtr>& given) {
  TRC_ASSERT(function->arg_size() == given.size() + first);
  llvm::SmallVector<llvm::Value*, 6> arguments;
  for (std::size_t i = 0; i < given.size(); ++i) {
    llvm::Type* wanted = function->getArg(static_cast<unsigned>(i) + first)->getType();
    if (wanted->isPointerTy()) {
      arguments.push_back(is_scalar(given[i]->type) ? builder_.CreateIntToPtr(scalar(given[i]), wanted) : address(*given[i]).pointer);
    } else {
      arguments.push_back(builder_.CreateTruncOrBitCast(scalar(given[i]), wanted));
    }
  }
  return arguments;
}

llvm::Value* FunctionEmitter::emit_call(const typed::CallStdlib& op, const lang::Type& type) {
  llvm::Function* function = library(op.symbol);
  const llvm::SmallVector<llvm::Value*, 6> arguments = library_arguments(function, 0, op.args);
  llvm::Value* result = builder_.CreateCall(function, arguments);
  if (result->getType()->isVoidTy() || type.is(lang::TypeKind::Void)) return i64(0);
  if (result->getType()->isPointerTy()) return builder_.CreatePtrToInt(result, builder_.getInt64Ty());
  const bool is_signed = type.is_signed;
  return normalise(builder_.CreateIntCast(result, builder_.getInt64Ty(), is_signed), type);
}

}  // namespace trc::codegen
