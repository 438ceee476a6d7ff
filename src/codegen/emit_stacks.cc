// Stacks by frame pointer, from the kernel's helper. It gives at most kernel.perf_event_max_stack frames (127 unless changed), whatever
// the limit asked for.
#include <linux/bpf.h>

#include <cerrno>
#include <cstddef>

#include "codegen/function_emitter.h"

namespace trc::codegen {

/// The number of frames written to `buffer`, at most `limit`; 0 when there is no stack (a kernel thread has none in user space).
llvm::Value* FunctionEmitter::get_stack(Place buffer, bool user, std::uint32_t limit) {
  auto* bytes = helper(BPF_FUNC_get_stack, {context(), buffer.pointer, i64(std::uint64_t{limit} * 8), i64(user ? BPF_F_USER_STACK : 0)});
  auto* some = builder_.CreateICmpSGT(bytes, i64(0));
  return builder_.CreateSelect(some, builder_.CreateLShr(bytes, 3), i64(0));
}

llvm::Value* FunctionEmitter::stack_length(const typed::StackLength& op) {
  if (op.limit == 0) return i64(0);
  return get_stack(temporary(op.limit * 8), op.user, op.limit);
}

Store FunctionEmitter::capture_stack(const lang::Type& type) {
  const bool user = type.is(lang::TypeKind::UserStack);
  const std::uint32_t limit = type.count;
  const Place name = temporary(16);
  zero(name, 16);
  if (limit != 0) {
    // As the map keeps it: u32 count, u32 zero, frames.
    const Place element = temporary(8 + limit * 8);
    const Place frames = offset(element, 8);
    llvm::Value* count = get_stack(frames, user, limit);
    if_then(builder_.CreateIsNotNull(count), [&] {
      builder_.CreateAlignedStore(count, element.pointer, element.align);
      builder_.CreateCall(module_.library_function("trc_stack_hash"),
                          {frames.pointer, builder_.CreateTrunc(count, builder_.getInt32Ty()), builder_.getInt32(limit), name.pointer});
      llvm::Value* stacks = module_.stacks(type);
      if_then(builder_.CreateIsNull(lookup(stacks, name.pointer)), [&] {
        auto* done = helper(BPF_FUNC_map_update_elem, {stacks, name.pointer, element.pointer, i64(BPF_NOEXIST)});
        auto* failed = builder_.CreateAnd(builder_.CreateIsNotNull(done), builder_.CreateICmpNE(done, i64(static_cast<std::uint64_t>(-EEXIST))));
        if_then(failed, [&] { count_loss(offsetof(image::LossCounters, stacks_full)); }, true);
      }, true);
    });
  }
  auto* low = builder_.CreateAlignedLoad(builder_.getInt64Ty(), name.pointer, name.align);
  auto* high = builder_.CreateAlignedLoad(builder_.getInt64Ty(), offset(name, 8).pointer, name.align);
  llvm::Value* pid = user ? builder_.CreateLShr(helper(BPF_FUNC_get_current_pid_tgid, {}), 32) : nullptr;
  return [this, low, high, pid](Place to) {
    builder_.CreateAlignedStore(low, to.pointer, to.align);
    const Place second = offset(to, 8);
    builder_.CreateAlignedStore(high, second.pointer, second.align);
    if (!pid) return;
    const Place third = offset(to, 16);  // u32 pid, u32 zero
    builder_.CreateAlignedStore(pid, third.pointer, third.align);
  };
}

}  // namespace trc::codegen
