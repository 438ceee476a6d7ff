// Records to user space, and what is counted when something fails.
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "codegen/effects.h"
#include "codegen/function_emitter.h"
#include "stdlib/packet_abi.h"

namespace trc::codegen {
void FunctionEmitter::send(std::uint32_t event, const std::function<void(Place)>& fill) {
  const std::uint32_t size = module_.image.events[event].size;
  auto* record = helper(BPF_FUNC_ringbuf_reserve, {module_.ring(), i64(size), i64(0)}, pointer_type());
  llvm::BasicBlock *room = block("room"), *full = block("full"), *after = block("sent");
  builder_.CreateCondBr(builder_.CreateIsNull(record), full, room, rarely());
  builder_.SetInsertPoint(full);
  count_loss(offsetof(image::LossCounters, ring_full));
  builder_.CreateBr(after);
  builder_.SetInsertPoint(room);
  builder_.CreateAlignedStore(i64(event | static_cast<std::uint64_t>(state_.index) << 32), record, llvm::Align(8));
  fill({record, llvm::Align(8)});
  helper(BPF_FUNC_ringbuf_submit, {record, i64(0)}, builder_.getVoidTy());
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
}

// Operands are evaluated first: once a record is reserved nothing may leave the program, and what a field does happens even when
// there is no room for the record.
void FunctionEmitter::emit(const typed::Emit& statement) {
  std::vector<Store> fields;
  for (std::size_t i = 0; i < statement.fields.size(); ++i) {
    const bool later = std::any_of(statement.fields.begin() + static_cast<std::ptrdiff_t>(i) + 1, statement.fields.end(),
                                   [](const typed::ValuePtr& v) { return writes(*v); });
    fields.push_back(prepare_before(*statement.fields[i], Tail::Any, later));
  }
  send(statement.event, [&](Place record) {
    for (std::size_t i = 0; i < fields.size(); ++i) fields[i](offset(record, module_.program.events[statement.event].fields[i].offset));
  });
}

void FunctionEmitter::emit(const typed::EmitJoin& statement) {
  const lang::EventSchema& schema = module_.program.events[statement.event];
  const lang::AddressSpace space = statement.array->type.space;
  const std::uint32_t strings = schema.fields.size() > 1 ? schema.fields[1].offset : schema.fields[0].offset + 4;
  llvm::Value* array = scalar(statement.array);
  llvm::AllocaInst* count = local("count");
  const Place pointer = temporary(8);
  send(statement.event, [&](Place record) {
    const bool user = space == lang::AddressSpace::User;
    llvm::BasicBlock *head = block("join"), *read = block("string"), *after = block("joined");
    builder_.CreateStore(i64(0), count);
    builder_.CreateBr(head);
    builder_.SetInsertPoint(head);
    auto* index = builder_.CreateLoad(builder_.getInt64Ty(), count);
    auto* at = builder_.CreateAdd(array, builder_.CreateShl(index, 3));
    // A failing read leaves 0, the end of the array.
    helper(user ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel, {pointer.pointer, i64(8), at});
    auto* text = builder_.CreateAlignedLoad(builder_.getInt64Ty(), pointer.pointer, pointer.align);
    builder_.CreateCondBr(builder_.CreateIsNotNull(text), read, after);
    builder_.SetInsertPoint(read);
    auto* to = builder_.CreateGEP(builder_.getInt8Ty(), offset(record, strings).pointer, builder_.CreateMul(index, i64(lang::kJoinStringSize)));
    helper(user ? BPF_FUNC_probe_read_user_str : BPF_FUNC_probe_read_kernel_str, {to, i64(lang::kJoinStringSize), text});
    auto* next = builder_.CreateAdd(index, i64(1));
    builder_.CreateStore(next, count);
    builder_.CreateCondBr(builder_.CreateICmpULT(next, i64(lang::kJoinStrings)), head, after);
    builder_.SetInsertPoint(after);
    const Place field = offset(record, schema.fields[0].offset);
    store_scalar(builder_.CreateLoad(builder_.getInt64Ty(), count), schema.fields[0].type, field);
  });
}

// The kernel reads texts from where they lie and formats at once. What finds no room in the file is written again: the kernel then makes more and runs
// the program once more.
void FunctionEmitter::emit(const typed::PrintToFile& statement) {
  std::vector<llvm::Value*> words;
  for (const typed::ValuePtr& value : statement.values) {
    words.push_back(is_scalar(value->type) ? scalar(value) : builder_.CreatePtrToInt(address(*value).pointer, builder_.getInt64Ty()));
  }
  const auto bytes = static_cast<std::uint32_t>(8 * words.size());
  const Place values = temporary(std::max(bytes, 8u));
  for (std::size_t i = 0; i < words.size(); ++i) builder_.CreateAlignedStore(words[i], offset(values, 8 * i).pointer, llvm::Align(8));
  const auto size = static_cast<std::uint32_t>(statement.format.size()) + 1;
  llvm::Value* data = words.empty() ? llvm::ConstantPointerNull::get(builder_.getPtrTy()) : values.pointer;
  with_iterator_file([&](llvm::Value* file) {
    helper(BPF_FUNC_seq_printf, {file, module_.text(statement.format, size), builder_.getInt32(size), data, builder_.getInt32(bytes)});
  });
}

llvm::Value* FunctionEmitter::send_packet(const typed::SendPacket& op) {
  constexpr std::uint64_t kThisCpu = 0xffffffff, kLongest = 0xfffff;   // BPF_F_CURRENT_CPU; BPF_F_CTXLEN_MASK, in the upper half
  llvm::Value *length = builder_.CreateAnd(scalar(op.length), i64(kLongest)), *left_out = scalar(op.offset);
  const Place head = temporary(sizeof(trc_packet)), answer = temporary(8);
  const auto put = [&](llvm::Value* value, std::size_t at) { builder_.CreateAlignedStore(value, offset(head, at).pointer, llvm::Align(4)); };
  put(i64(op.event | static_cast<std::uint64_t>(state_.index) << 32), offsetof(trc_packet, event));
  put(helper(BPF_FUNC_ktime_get_boot_ns, {}), offsetof(trc_packet, ns));
  put(builder_.CreateTrunc(length, builder_.getInt32Ty()), offsetof(trc_packet, length));
  put(builder_.CreateTrunc(left_out, builder_.getInt32Ty()), offsetof(trc_packet, offset));
  builder_.CreateAlignedStore(i64(static_cast<std::uint64_t>(-ENOENT)), answer.pointer, answer.align);
  with_object(op.skb, [&](llvm::Value* skb) {
    llvm::Value* flags = builder_.CreateOr(builder_.CreateShl(length, 32), i64(kThisCpu));
    llvm::Value* done = helper(BPF_FUNC_skb_output, {skb, module_.packets(), flags, head.pointer, i64(sizeof(trc_packet))});
    check_read("skb_output", done);
    builder_.CreateAlignedStore(done, answer.pointer, answer.align);
  });
  return builder_.CreateAlignedLoad(builder_.getInt64Ty(), answer.pointer, answer.align);
}

void FunctionEmitter::count_loss(std::size_t counter_offset) {
  module_.loss();
  builder_.CreateCall(module_.library_function("trc_count_loss"),
                      {builder_.getInt32(state_.index), builder_.getInt32(static_cast<std::uint32_t>(counter_offset))});
}

void FunctionEmitter::check_read(const char* helper_name, llvm::Value* result) {
  if_then(builder_.CreateICmpSLT(result, i64(0)), [&] {
    if (module_.report_reads) report_failure(helper_name, result, span_);
    else count_loss(offsetof(image::LossCounters, helper_failed));
  }, true);
}

void FunctionEmitter::check_found(llvm::Value* element) {
  if (module_.report_reads) if_then(builder_.CreateIsNull(element), [&] { report_failure("map_lookup_elem", i64(0), span_); }, true);
}

void FunctionEmitter::check_deleted(llvm::Value* result) {
  if (module_.report_reads) if_then(builder_.CreateICmpSLT(result, i64(0)), [&] { report_failure("map_delete_elem", result, span_); }, true);
}

void FunctionEmitter::report_error(std::string text, Span span) {
  const std::uint32_t event = module_.add_event({.action = lang::ActionKind::RuntimeError, .text = std::move(text), .span = span});
  module_.ring(), module_.loss();
  builder_.CreateCall(module_.library_function("trc_report_error"), {builder_.getInt32(state_.index), builder_.getInt32(event)});
}

void FunctionEmitter::report_failure(const char* helper_name, llvm::Value* code, Span span) {
  const std::uint32_t event =
      module_.add_event({.action = lang::ActionKind::HelperError, .fields = {{lang::make_int64(), 0}}, .text = helper_name, .span = span});
  module_.ring(), module_.loss();
  builder_.CreateCall(module_.library_function("trc_report_failure"),
                      {builder_.getInt32(state_.index), builder_.getInt32(event), builder_.getInt32(module_.add_site()), code});
}

}  // namespace trc::codegen
