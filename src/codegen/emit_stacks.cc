// Stacks: calls of the library's walkers (stdlib/unwind.bpf.c), which store the frames, and values that name them.
#include <linux/bpf.h>

#include "codegen/function_emitter.h"
#include "stdlib/stack_walk.h"

namespace trc::codegen {
namespace {

// Frames that are counted when the script gives no limit. An interrupt must not take long; a task can.
constexpr std::uint32_t kCountInTask = 65536, kCountInInterrupt = 1024;

}  // namespace

/// The number of frames; the stack's name goes to `name`, 16 bytes that are zero. `stored`: it is kept, not only counted.
llvm::Value* FunctionEmitter::walk_stack(Place name, bool user, std::uint32_t limit, bool limit_given, bool stored, typed::Unwinding unwinding,
                                         typed::StackFrames frames) {
  module_.use_stacks(stored || !user ? limit : 0);   // the kernel's helper counts what it writes
  std::uint32_t flags = (limit_given ? TRC_WALK_ASKED : 0) | (stored ? 0 : TRC_WALK_COUNT);
  auto* program = builder_.getInt32(state_.index);
  if (!user) {
    module_.use_kernel_stacks();
    if (state_.program.context.kind == lang::ProgramKind::Tracepoint) flags |= TRC_WALK_OF_TASK;
    return builder_.CreateCall(module_.library_function("trc_kernel_stack"),
                               {context(), name.pointer, program, builder_.getInt32(limit), builder_.getInt32(flags)});
  }
  if (frames == typed::StackFrames::Python) {
    module_.use_python(0);
    return builder_.CreateCall(module_.library_function("trc_python_stack"), {name.pointer, program, builder_.getInt32(limit), builder_.getInt32(flags)});
  }
  if (unwinding == typed::Unwinding::Setting) unwinding = module_.program.unwinding;
  const bool by_tables = unwinding != typed::Unwinding::FramePointers;
  if (by_tables) module_.use_unwind_tables();
  if (unwinding == typed::Unwinding::Tables) flags |= TRC_WALK_TABLES_ONLY;
  if (state_.program.context.kind == lang::ProgramKind::UserProbe && state_.program.context.at_entry) flags |= TRC_WALK_ENTRY;
  const bool mixed = frames == typed::StackFrames::Mixed;
  if (mixed) module_.use_python(stored ? 2 * limit + 2 : 0);   // a marker for each frame at most
  const char* walker = mixed ? (by_tables ? "trc_mixed_stack" : "trc_mixed_stack_fp") : by_tables ? "trc_user_stack" : "trc_user_stack_fp";
  return builder_.CreateCall(module_.library_function(walker),
                             {name.pointer, program, builder_.getInt32(limit), builder_.getInt32(flags)});
}

llvm::Value* FunctionEmitter::stack_length(const typed::StackLength& op) {
  std::uint32_t limit = op.limit;
  if (!op.limit_given) {
    limit = !op.user ? lang::kMaxKernelStackLimit : state_.program.context.kind == lang::ProgramKind::PerfEvent ? kCountInInterrupt : kCountInTask;
  }
  if (limit == 0) return i64(0);
  const Place name = temporary(16);
  zero(name, 16);
  return walk_stack(name, op.user, limit, op.limit_given, false, op.unwinding, op.frames);
}

Store FunctionEmitter::capture_stack(const typed::CaptureStack& op, const lang::Type& type) {
  const bool user = type.is(lang::TypeKind::UserStack);
  const Place name = temporary(16);
  zero(name, 16);
  llvm::Value* frames = type.count != 0 ? walk_stack(name, user, type.count, op.limit_given, true, op.unwinding, op.frames) : i64(0);
  auto* low = builder_.CreateAlignedLoad(builder_.getInt64Ty(), name.pointer, name.align);
  auto* high = builder_.CreateAlignedLoad(builder_.getInt64Ty(), offset(name, 8).pointer, name.align);
  // A stack without frames, or whose frames were not kept, is the same in every process.
  auto* none = builder_.CreateICmpEQ(builder_.CreateOr(low, high), i64(0));
  llvm::Value* last = builder_.CreateShl(frames, 32);   // u32 pid, u32 frames
  if (user) last = builder_.CreateOr(last, builder_.CreateLShr(process_ids(), 32));
  last = builder_.CreateSelect(none, i64(0), last);
  return [this, low, high, last](Place to) {
    builder_.CreateAlignedStore(low, to.pointer, to.align);
    const Place second = offset(to, 8);
    builder_.CreateAlignedStore(high, second.pointer, second.align);
    const Place third = offset(to, 16);
    builder_.CreateAlignedStore(last, third.pointer, third.align);
  };
}

}  // namespace trc::codegen
