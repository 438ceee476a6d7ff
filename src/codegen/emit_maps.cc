// Maps of the script: reading, setting, counting. Each operation looks an element up once; only a new element costs a second call.
#include <linux/bpf.h>

#include <cerrno>

#include "base/assert.h"
#include "codegen/function_emitter.h"

namespace trc::codegen {

llvm::Value* FunctionEmitter::key_pointer(typed::MapId map, const typed::ValuePtr& key) {
  const image::MapEntry& entry = module_.map_entry(map);
  if (!entry.has_key || !key) {
    const Place index = temporary(8);
    builder_.CreateAlignedStore(builder_.getInt32(0), index.pointer, index.align);
    return index.pointer;
  }
  if (!is_scalar(key->type)) return address(*key).pointer;
  llvm::Value* value = scalar(key);
  const Place place = temporary(8);
  store_scalar(value, entry.key, place);
  return place.pointer;
}

llvm::Value* FunctionEmitter::lookup(llvm::Value* map, llvm::Value* key) { return helper(BPF_FUNC_map_lookup_elem, {map, key}, pointer_type()); }

void FunctionEmitter::set_presence(typed::MapId map, llvm::Value* element) {
  const std::uint32_t at = module_.map_entry(map).presence_offset;
  if (at == image::kNoPresence) return;
  const Place place = offset({element, llvm::Align(8)}, at);
  builder_.CreateAlignedStore(i64(1), place.pointer, place.align);
}

void FunctionEmitter::update_element(typed::MapId map, llvm::Value* key, Span span, const std::function<llvm::Value*()>& initial_state,
                                     bool change_new, const std::function<void(llvm::Value*)>& change) {
  llvm::Value* symbol = module_.map(map);
  llvm::Value* found = lookup(symbol, key);
  if (!module_.map_entry(map).has_key) {  // an array of one element: always there
    if_then(builder_.CreateIsNotNull(found), [&] {
      change(found);
      set_presence(map, found);
    });
    return;
  }
  llvm::BasicBlock *exists = block("exists"), *missing = block("missing"), *after = block("updated");
  builder_.CreateCondBr(builder_.CreateIsNull(found), missing, exists, rarely());
  llvm::BasicBlock* found_end = builder_.GetInsertBlock();

  builder_.SetInsertPoint(missing);
  auto* inserted = helper(BPF_FUNC_map_update_elem, {symbol, key, initial_state(), i64(BPF_NOEXIST)});
  llvm::BasicBlock *again = block("again"), *failed = block("failed"), *refused = block("refused");
  builder_.CreateCondBr(builder_.CreateIsNull(inserted), change_new ? again : after, refused);
  builder_.SetInsertPoint(refused);  // another CPU may have been faster
  builder_.CreateCondBr(builder_.CreateICmpEQ(inserted, i64(static_cast<std::uint64_t>(-EEXIST))), again, failed);
  builder_.SetInsertPoint(failed);
  report_failure("map_update_elem", inserted, span);
  builder_.CreateBr(after);
  builder_.SetInsertPoint(again);
  llvm::Value* found_again = lookup(symbol, key);
  builder_.CreateCondBr(builder_.CreateIsNotNull(found_again), exists, after);
  llvm::BasicBlock* again_end = builder_.GetInsertBlock();

  builder_.SetInsertPoint(exists);
  auto* element = builder_.CreatePHI(pointer_type(), 2);
  element->addIncoming(found, found_end);
  element->addIncoming(found_again, again_end);
  change(element);
  fall_into(after);
}

void FunctionEmitter::emit(const typed::MapSet& statement) {
  const image::MapEntry& entry = module_.map_entry(statement.map);
  llvm::Value* key = key_pointer(statement.map, statement.key);
  if (is_scalar(entry.value)) {
    llvm::Value* value = scalar(statement.value);
    auto initial = [&] {
      const Place state = temporary(8);
      store_scalar(value, entry.value, state);
      return state.pointer;
    };
    update_element(statement.map, key, span_, initial, false, [&](llvm::Value* element) { store_scalar(value, entry.value, {element, llvm::Align(8)}); });
    return;
  }
  if (!entry.has_key) {
    Store write = prepare(*statement.value);
    update_element(statement.map, key, span_, nullptr, false, [&](llvm::Value* element) { write({element, llvm::Align(8)}); });
    return;
  }
  const Place value = address(*statement.value);
  auto* done = helper(BPF_FUNC_map_update_elem, {module_.map(statement.map), key, value.pointer, i64(BPF_ANY)});
  if_then(builder_.CreateIsNotNull(done), [&] { report_failure("map_update_elem", done, span_); }, true);
}

void FunctionEmitter::emit(const typed::MapAdd& statement) {
  llvm::Value* key_first = key_pointer(statement.map, statement.key);
  llvm::Value* delta = scalar(statement.delta);
  add_to_map(statement.map, key_first, delta, false, span_);
}

llvm::Value* FunctionEmitter::increment_map(const typed::IncrementMap& op, Span span) {
  llvm::Value* delta = i64(static_cast<std::uint64_t>(op.delta));
  llvm::Value* old = add_to_map(op.map, key_pointer(op.map, op.key), delta, true, span);
  return op.want_old ? old : builder_.CreateAdd(old, delta);
}

/// The value before. On 8-byte integers the addition is atomic; LLVM picks the cheaper instruction when nobody wants the result.
llvm::Value* FunctionEmitter::add_to_map(typed::MapId map, llvm::Value* key, llvm::Value* delta, bool want_old, Span span) {
  const lang::Type& type = module_.map_entry(map).value;
  llvm::AllocaInst* old = local("old");
  builder_.CreateStore(i64(0), old);
  auto initial = [&] {
    const Place state = temporary(8);
    store_scalar(delta, type, state);
    return state.pointer;
  };
  update_element(map, key, span, initial, false, [&](llvm::Value* element) {
    const Place place{element, llvm::Align(8)};
    llvm::Value* before = nullptr;
    if (type.size == 8) {
      before = builder_.CreateAtomicRMW(llvm::AtomicRMWInst::Add, element, delta, llvm::Align(8), llvm::AtomicOrdering::SequentiallyConsistent);
    } else {
      before = load_scalar(place, type);
      store_scalar(builder_.CreateAdd(before, delta), type, place);
    }
    if (want_old) builder_.CreateStore(before, old);
  });
  return builder_.CreateLoad(builder_.getInt64Ty(), old);
}

llvm::Value* FunctionEmitter::map_get(const typed::MapGet& op, const lang::Type& type) {
  llvm::Value* found = lookup(module_.map(op.map), key_pointer(op.map, op.key));
  if (op.key) check_found(found);
  llvm::AllocaInst* result = local("value");
  builder_.CreateStore(i64(0), result);
  if_then(builder_.CreateIsNotNull(found), [&] { builder_.CreateStore(load_scalar({found, llvm::Align(8)}, type), result); });
  return builder_.CreateLoad(builder_.getInt64Ty(), result);
}

Place FunctionEmitter::map_get_address(const typed::MapGet& op, const lang::Type& type) {
  llvm::Value* found = lookup(module_.map(op.map), key_pointer(op.map, op.key));
  if (op.key) check_found(found);
  // A branch, not a select: the verifier must see the null check.
  llvm::BasicBlock *missing = block("missing"), *after = block("element");
  llvm::BasicBlock* before = builder_.GetInsertBlock();
  builder_.CreateCondBr(builder_.CreateIsNull(found), missing, after);
  builder_.SetInsertPoint(missing);
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  auto* pointer = builder_.CreatePHI(pointer_type(), 2);
  pointer->addIncoming(found, before);
  pointer->addIncoming(module_.zeros(type.size), missing);
  return {pointer, llvm::Align(8)};
}

llvm::Value* FunctionEmitter::map_has(const typed::MapHas& op) {
  const image::MapEntry& entry = module_.map_entry(op.map);
  llvm::Value* key = key_pointer(op.map, op.key);
  // LLVM must not see where the answer comes from, or it would "or" the pointer itself with another number, which the verifier forbids.
  if (entry.has_key) return opaque(builder_.CreateZExt(builder_.CreateIsNotNull(lookup(module_.map(op.map), key)), builder_.getInt64Ty()));
  llvm::AllocaInst* present = local("present");
  builder_.CreateStore(i64(0), present);
  for_each_copy(op.map, key, [&](llvm::Value* copy) {
    const Place flag = offset({copy, llvm::Align(8)}, entry.presence_offset);
    auto* seen = builder_.CreateOr(builder_.CreateLoad(builder_.getInt64Ty(), present), builder_.CreateAlignedLoad(builder_.getInt64Ty(), flag.pointer, flag.align));
    builder_.CreateStore(seen, present);
  });
  return builder_.CreateZExt(builder_.CreateIsNotNull(builder_.CreateLoad(builder_.getInt64Ty(), present)), builder_.getInt64Ty());
}

llvm::Value* FunctionEmitter::map_delete(const typed::MapDelete& op, Span) {
  const image::MapEntry& entry = module_.map_entry(op.map);
  llvm::Value* key = key_pointer(op.map, op.key);
  if (entry.has_key) {
    auto* done = helper(BPF_FUNC_map_delete_elem, {module_.map(op.map), key});
    check_deleted(done);
    return builder_.CreateZExt(builder_.CreateIsNull(done), builder_.getInt64Ty());
  }
  llvm::AllocaInst* present = local("present");
  builder_.CreateStore(i64(0), present);
  for_each_copy(op.map, key, [&](llvm::Value* copy) {
    const Place flag = offset({copy, llvm::Align(8)}, entry.presence_offset);
    auto* seen = builder_.CreateOr(builder_.CreateLoad(builder_.getInt64Ty(), present), builder_.CreateAlignedLoad(builder_.getInt64Ty(), flag.pointer, flag.align));
    builder_.CreateStore(seen, present);
    zero({copy, llvm::Align(8)}, entry.value_size);
  });
  return builder_.CreateZExt(builder_.CreateIsNotNull(builder_.CreateLoad(builder_.getInt64Ty(), present)), builder_.getInt64Ty());
}

// The helper returns how many elements it visited.
llvm::Value* FunctionEmitter::map_length(const typed::MapLength& op, Span span) {
  llvm::Function* callback = make_callback("count", {pointer_type(), pointer_type(), pointer_type(), pointer_type()}, span);
  emit_callback(callback, 3, [](FunctionEmitter&) {});
  return helper(BPF_FUNC_for_each_map_elem, {module_.map(op.map), callback, llvm::ConstantPointerNull::get(builder_.getPtrTy()), i64(0)});
}

void FunctionEmitter::for_each_copy(typed::MapId map, llvm::Value* key, const std::function<void(llvm::Value*)>& body) {
  llvm::Value* symbol = module_.map(map);
  if (!module_.map_entry(map).per_cpu) {
    llvm::Value* found = lookup(symbol, key);
    if_then(builder_.CreateIsNotNull(found), [&] { body(found); });
    return;
  }
  llvm::AllocaInst* cpu = local("cpu");
  builder_.CreateStore(i64(0), cpu);
  llvm::BasicBlock *head = block("cpus"), *look = block("cpu"), *inside = block("copy"), *after = block("cpus_done");
  llvm::Value* count = runtime_constant(typed::RuntimeConstant::CpuCount);
  builder_.CreateBr(head);
  builder_.SetInsertPoint(head);
  auto* number = builder_.CreateLoad(builder_.getInt64Ty(), cpu);
  builder_.CreateCondBr(builder_.CreateICmpULT(number, count), look, after);
  builder_.SetInsertPoint(look);
  auto* found = helper(BPF_FUNC_map_lookup_percpu_elem, {symbol, key, number}, pointer_type());
  builder_.CreateCondBr(builder_.CreateIsNotNull(found), inside, after);
  builder_.SetInsertPoint(inside);
  body(found);
  builder_.CreateStore(builder_.CreateAdd(number, i64(1)), cpu);
  builder_.CreateBr(head);
  builder_.SetInsertPoint(after);
}

}  // namespace trc::codegen
