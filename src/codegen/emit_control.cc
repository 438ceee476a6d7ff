// The shape of a program: its frame, its statements, its loops, and how it ends.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <linux/bpf.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/MDBuilder.h>

#include "base/assert.h"
#include "codegen/codegen.h"
#include "codegen/effects.h"
#include "codegen/function_emitter.h"

namespace trc::codegen {
namespace {

// The start of every frame.
constexpr std::uint32_t kFrameContext = 0, kFrameScratch = 8, kFrameReturned = 16, kFrameResult = 24, kFrameRounds = 32, kFrameHeader = 40;
// weight() of a list of statements that is emitted in one function, and of each function that a longer list is divided among.
constexpr std::size_t kMostWeight = 2000, kPartWeight = 1000;
// What a loop body returns, and a part of one; of a part 0 means that what follows comes next.
constexpr std::uint64_t kContinueLoop = 0, kLeaveLoop = 1, kPartContinues = 2;
// BPF_MAX_LOOPS in include/linux/bpf.h: the rounds of one bpf_loop. Those of all in one run have a limit of ours, for nested ones could hold a CPU for days.
constexpr std::uint64_t kMostRounds = 8388608, kMostRoundsOfRun = 67108864;
// The verifier follows calls 8 deep (MAX_CALL_FRAMES in include/linux/bpf_verifier.h), library functions included. Loops in so many others are native ones.
constexpr int kMostNestedCallbacks = 5, kMostAroundStacks = 2;

}  // namespace

LocationScope::LocationScope(FunctionEmitter& emitter, Span span)
    : emitter_(emitter), previous_span_(emitter.span_), previous_(emitter.builder_.getCurrentDebugLocation()) {
  if (span.end == 0 && span.begin == 0 && emitter.span_.end != 0) return;  // a value that a pass made up
  emitter.span_ = span;
  emitter.builder_.SetCurrentDebugLocation(emitter.module_.debug.at(span, *emitter.function_));
}

LocationScope::~LocationScope() {
  emitter_.span_ = previous_span_;
  emitter_.builder_.SetCurrentDebugLocation(previous_);
}

TemporaryScope::TemporaryScope(FunctionEmitter& emitter) : emitter_(emitter), scratch_bytes_(emitter.state_.scratch_bytes) {
  for (const auto& temporary : emitter.temporaries_) in_use_.push_back(temporary.in_use);
}

TemporaryScope::~TemporaryScope() {
  for (std::size_t i = 0; i < emitter_.temporaries_.size(); ++i) emitter_.temporaries_[i].in_use = i < in_use_.size() && in_use_[i];
  emitter_.state_.scratch_bytes = scratch_bytes_;
}

FunctionEmitter::FunctionEmitter(ProgramState& state, llvm::Function* function, FunctionEmitter* parent)
    : state_(state), module_(state.module), function_(function), parent_(parent), builder_(function->getContext()) {
  entry_ = block("entry");
  builder_.SetInsertPoint(entry_);
}

void FunctionEmitter::emit_program(ModuleEmitter& module, std::uint32_t index) {
  const typed::Program& program = module.program.programs[index];
  const typed::ProbeSpec& probe = module.program.probes[program.probe];
  auto& context = module.module.getContext();
  auto* type = llvm::FunctionType::get(llvm::Type::getInt32Ty(context), {llvm::PointerType::get(context, 0)}, false);
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, program.name, module.module);
  function->setDoesNotThrow();
  function->setSection(kSectionPrefix + program.name);
  module.debug.describe_function(*function, probe.span);

  ProgramState state{.module = module, .program = program, .index = index};
  FunctionEmitter emitter(state, function, nullptr);
  LocationScope location(emitter, probe.span);
  emitter.open_program();
  emitter.emit_body(program.body, true);
  emitter.close_program();
}

// Results in memory are written where the first argument points.
void FunctionEmitter::declare_functions(ModuleEmitter& module) {
  auto& context = module.module.getContext();
  auto* wide = llvm::Type::getInt64Ty(context);
  auto* pointer = llvm::PointerType::get(context, 0);
  for (const typed::Function& f : module.program.functions) {
    const bool in_memory = !f.result.is(lang::TypeKind::Void) && !is_scalar(f.result);
    llvm::SmallVector<llvm::Type*, 5> parameters;
    if (in_memory) parameters.push_back(pointer);
    for (std::uint32_t i = 0; i < f.parameters; ++i) parameters.push_back(is_scalar(f.code.slots[i]) ? static_cast<llvm::Type*>(wide) : pointer);
    auto* type = llvm::FunctionType::get(wide, parameters, false);
    auto* function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage, f.code.name, module.module);
    function->addFnAttr(llvm::Attribute::NoInline);
    function->setDoesNotThrow();
    module.debug.describe_function(*function, f.span);
    module.functions.push_back(function);
  }
}

void FunctionEmitter::emit_function(ModuleEmitter& module, std::uint32_t index) {
  const typed::Function& function = module.program.functions[index];
  ProgramState state{.module = module, .program = function.code, .function = &function, .index = index};
  FunctionEmitter emitter(state, module.functions[index], nullptr);
  LocationScope location(emitter, function.span);
  emitter.open_program();
  emitter.take_parameters();
  emitter.emit_body(function.code.body, true);
  emitter.close_program();
}

/// A result in memory goes to the caller; all zeros when there was no scratch memory to work with.
void FunctionEmitter::give_result() {
  const typed::Function& function = *state_.function;
  if (function.result.is(lang::TypeKind::Void) || is_scalar(function.result)) return;
  const Place to{function_->getArg(0), llvm::Align(8)};
  if (!state_.slots[function.result_slot].in_scratch) return copy(to, slot(function.result_slot), function.result.size);
  claim_scratch();
  llvm::BasicBlock *have = block("result"), *none = block("no_result"), *after = block("given");
  builder_.CreateCondBr(builder_.CreateIsNotNull(builder_.CreateLoad(pointer_type(), scratch_)), have, none);
  builder_.SetInsertPoint(have);
  copy(to, slot(function.result_slot), function.result.size);
  builder_.CreateBr(after);
  builder_.SetInsertPoint(none);
  zero(to, function.result.size);
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
}

/// Copies the arguments: what the function does to its parameters is its own affair.
void FunctionEmitter::take_parameters() {
  const typed::Function& function = *state_.function;
  const unsigned first = function_->arg_size() - function.parameters;
  // Scratch memory, if a parameter lies there, is claimed in front of this.
  llvm::BasicBlock* next = block("parameters");
  claim_point_ = builder_.CreateBr(next);
  builder_.SetInsertPoint(next);
  for (std::uint32_t i = 0; i < function.parameters; ++i) {
    const lang::Type& type = state_.program.slots[i];
    llvm::Argument* argument = function_->getArg(first + i);
    if (is_scalar(type)) store_scalar(argument, type, slot(i));
    else copy(slot(i), {argument, llvm::Align(8)}, type.size);
  }
}

llvm::Value* FunctionEmitter::call_function(const typed::CallFunction& op, llvm::Value* result_place) {
  llvm::SmallVector<llvm::Value*, 5> arguments;
  if (result_place) arguments.push_back(result_place);
  for (std::size_t i = 0; i < op.args.size(); ++i) {
    const typed::Value& value = *op.args[i];
    const bool later = std::any_of(op.args.begin() + static_cast<std::ptrdiff_t>(i) + 1, op.args.end(), [](const auto& v) { return writes(*v); });
    if (is_scalar(value.type)) {
      arguments.push_back(scalar(value));
    } else if (later) {
      const Place kept = temporary(value.type.size);
      store(value, kept);
      arguments.push_back(kept.pointer);
    } else {
      arguments.push_back(address(value).pointer);
    }
  }
  llvm::Value* result = builder_.CreateCall(module_.functions[op.function], arguments);
  if (module_.functions_leave()) {
    auto* leaving = builder_.CreateAlignedLoad(builder_.getInt32Ty(), module_.leaving(), llvm::Align(4), true);
    if_then(builder_.CreateIsNotNull(leaving), [&] { return_from_program(default_return()); }, true);
  }
  return result;
}

void FunctionEmitter::open_program() {
  frame_memory_ = builder_.CreateAlloca(builder_.getInt8Ty(), nullptr, "frame");  // resized in close_program()
  frame_memory_->setAlignment(llvm::Align(8));
  frame_ = frame_memory_;
  scratch_ = builder_.CreateAlloca(pointer_type(), nullptr, "scratch");
  result_ = builder_.CreateAlloca(builder_.getInt64Ty(), nullptr, "result");
  exit_ = block("exit");
  state_.frame_bytes = kFrameHeader;
  lay_out_slots();

  if (!state_.function) builder_.CreateStore(function_->getArg(0), frame_at(kFrameContext).pointer);
  builder_.CreateStore(i64(0), frame_at(kFrameReturned).pointer);
  builder_.CreateStore(i64(kMostRoundsOfRun), frame_at(kFrameRounds).pointer);
  builder_.CreateStore(llvm::ConstantPointerNull::get(builder_.getPtrTy()), scratch_);
  builder_.CreateStore(default_return(), result_);
  if (!state_.function && state_.program.context.kind == lang::ProgramKind::TestRun && module_.functions_leave()) {
    builder_.CreateAlignedStore(builder_.getInt32(0), module_.leaving(), llvm::Align(4), true);
  }
  // A pinned iterator goes on when trc has ended.
  if (!state_.function && state_.program.context.kind != lang::ProgramKind::TestRun && !state_.program.context.prints_to_file) {
    auto* frozen = builder_.CreateAlignedLoad(builder_.getInt32Ty(), module_.frozen(), llvm::Align(4), true);
    llvm::BasicBlock* running = block("running");
    builder_.CreateCondBr(builder_.CreateIsNotNull(frozen), exit_, running, rarely());
    builder_.SetInsertPoint(running);
  }
  if (state_.program.context.kind == lang::ProgramKind::Iterator) {
    skip_end_of_iterator();
    if (!state_.program.context.prints_to_file) write_step_of_iterator();
  }
}

// The kernel calls the program once more at the end, with null for what it has no more of.
void FunctionEmitter::skip_end_of_iterator() {
  for (const lang::ContextValue& member : state_.program.context.ctx_members) {
    if (!member.type.is(lang::TypeKind::Pointer) || member.name == "meta") continue;
    llvm::BasicBlock* there = block("there");
    builder_.CreateCondBr(builder_.CreateIsNull(read_context(member)), exit_, there, rarely());
    builder_.SetInsertPoint(there);
  }
}

/// struct bpf_iter__KIND begins with `meta`, and that with the file (linux/bpf.h).
void FunctionEmitter::with_iterator_file(const std::function<void(llvm::Value*)>& use) {
  const lang::ContextValue meta{"meta", lang::make_pointer(lang::make_void(), lang::AddressSpace::Kernel), lang::ContextSource{0}, ""};
  with_object({meta, {0, 0}}, use);
}

// A byte for each run: so whoever reads the file decides how many runs there are before it looks at the ring (kernel::read_iterator).
void FunctionEmitter::write_step_of_iterator() {
  with_iterator_file([&](llvm::Value* file) { helper(BPF_FUNC_seq_write, {file, module_.zeros(1), builder_.getInt32(1)}); });
}

void FunctionEmitter::close_program() {
  if (!terminated()) builder_.CreateBr(exit_);
  builder_.SetInsertPoint(exit_);
  if (state_.function) give_result();
  if (claimed_) {
    auto* slot = builder_.CreateLoad(pointer_type(), scratch_);
    if_then(builder_.CreateIsNotNull(slot), [&] { builder_.CreateCall(module_.library_function("trc_scratch_release"), {slot}); });
  }
  llvm::Value* result = builder_.CreateLoad(builder_.getInt64Ty(), result_);
  builder_.CreateRet(state_.function ? result : builder_.CreateTrunc(result, builder_.getInt32Ty()));
  frame_memory_->setAllocatedType(llvm::ArrayType::get(builder_.getInt8Ty(), state_.frame_bytes));
}

// Scalars get the frame first: they are read and written most.
void FunctionEmitter::lay_out_slots() {
  state_.slots.resize(state_.program.slots.size());
  for (const bool scalars : {true, false}) {
    for (std::size_t i = 0; i < state_.program.slots.size(); ++i) {
      const lang::Type& type = state_.program.slots[i];
      if (is_scalar(type) != scalars) continue;
      const std::uint32_t bytes = (std::max(type.size, 1u) + 7) / 8 * 8;
      SlotPlace& place = state_.slots[i];
      place.in_scratch = type.size > module_.program.on_stack_limit || state_.frame_bytes + bytes > module_.budget.frame;
      place.offset = place.in_scratch ? allocate_scratch(bytes) : add_to_frame(bytes);
    }
  }
}

std::uint32_t FunctionEmitter::add_to_frame(std::uint32_t bytes) {
  const std::uint32_t at = state_.frame_bytes;
  state_.frame_bytes += (bytes + 7) / 8 * 8;
  return at;
}

Place FunctionEmitter::frame_at(std::uint32_t bytes) { return offset({frame_, llvm::Align(8)}, bytes); }

llvm::Value* FunctionEmitter::default_return() {
  // A perf tracepoint's program that returns 0 would keep the event from other readers of the same event.
  return i64(state_.program.context.kind == lang::ProgramKind::Tracepoint ? 1 : 0);
}

void FunctionEmitter::fall_into(llvm::BasicBlock* next) {
  if (!terminated()) builder_.CreateBr(next);
  builder_.SetInsertPoint(next);
}

llvm::MDNode* FunctionEmitter::rarely() { return llvm::MDBuilder(builder_.getContext()).createUnlikelyBranchWeights(); }

void FunctionEmitter::if_then(llvm::Value* condition, const std::function<void()>& then, bool unlikely) {
  llvm::BasicBlock *yes = block("then"), *after = block("after");
  builder_.CreateCondBr(condition, yes, after, unlikely ? rarely() : nullptr);
  builder_.SetInsertPoint(yes);
  then();
  fall_into(after);
}

llvm::AllocaInst* FunctionEmitter::local(const char* name) {
  llvm::IRBuilder<> at_entry(entry_, entry_->begin());
  return at_entry.CreateAlloca(builder_.getInt64Ty(), nullptr, name);
}

// ---- statements ----

// The spine is the top-level statement list, continued into the last statement's arm when that is an `if` without `else`: where a
// predicate has been passed. Scratch memory is claimed in front of the first statement there that needs it.
void FunctionEmitter::emit_body(const typed::Statements& statements, bool spine) {
  std::vector<std::size_t> weights;
  for (const typed::Statement& statement : statements) weights.push_back(weight(statement));
  const bool in_parts = std::accumulate(weights.begin(), weights.end(), std::size_t{0}) > kMostWeight;
  for (std::size_t i = 0; i < statements.size() && !terminated();) {
    if (spine && !claimed_) {
      llvm::BasicBlock* next = block("statement");
      claim_point_ = builder_.CreateBr(next);
      builder_.SetInsertPoint(next);
    }
    std::size_t end = i, sum = 0;   // of a part that begins here
    while (in_parts && end < statements.size() && sum + weights[end] <= kPartWeight) sum += weights[end++];
    if (end > i + 1) {
      emit_part({statements.data() + i, end - i});
      i = end;
    } else {
      emit_statement(statements[i], spine && i + 1 == statements.size());
      ++i;
    }
  }
}

// A jump reaches 32,767 instructions, so a long list of statements is divided among functions, which have the frame as a loop body has it.
void FunctionEmitter::emit_part(std::span<const typed::Statement> statements) {
  llvm::Function* part = make_callback("part", {pointer_type()}, statements.front().span);
  emit_callback(part, 0, [&](FunctionEmitter& inner) {
    inner.is_part_ = true;
    for (const typed::Statement& statement : statements) {
      if (!inner.terminated()) inner.emit_statement(statement, false);
    }
  });
  llvm::Value* outcome = builder_.CreateCall(part, {frame_});
  leave_after_loop_call();
  if (!std::any_of(statements.begin(), statements.end(), leaves_loop)) return;
  if_then(builder_.CreateICmpEQ(outcome, i64(kLeaveLoop)), [&] { emit(typed::Break{}); });
  if_then(builder_.CreateICmpEQ(outcome, i64(kPartContinues)), [&] { emit(typed::Continue{}); });
}

void FunctionEmitter::emit_before(const typed::Statements& statements) {
  emit_body(statements, false);
  if (terminated()) builder_.SetInsertPoint(block("unreachable"));
}

void FunctionEmitter::emit_statement(const typed::Statement& statement, bool last_on_spine) {
  LocationScope location(*this, statement.span);
  TemporaryScope temporaries(*this);
  const auto* branch = std::get_if<typed::If>(&statement.op);
  if (branch && last_on_spine && branch->otherwise.empty()) {
    if_then(condition(*branch->condition), [&] { emit_body(branch->then, true); });
    return;
  }
  std::visit([&](const auto& op) { emit(op); }, statement.op);
}

void FunctionEmitter::emit(const typed::Evaluate& statement) {
  if (statement.value->type.is(lang::TypeKind::Void) || is_scalar(statement.value->type)) {
    scalar(*statement.value);
  } else {
    prepare(*statement.value);
  }
}

void FunctionEmitter::emit(const typed::StoreSlot& statement) {
  const lang::Type& type = state_.program.slots[statement.slot];
  if (is_scalar(type)) {
    store_scalar(scalar(*statement.value), type, slot(statement.slot));
  } else {
    // The value may read the variable that it is stored to: build it first, unless it is only a copy.
    Store write = prepare(*statement.value);
    write(slot(statement.slot));
  }
}

void FunctionEmitter::emit(const typed::ZeroSlot& statement) { zero(slot(statement.slot), state_.program.slots[statement.slot].size); }

void FunctionEmitter::emit(const typed::If& statement) {
  llvm::BasicBlock *yes = block("then"), *no = block("else"), *after = block("after");
  builder_.CreateCondBr(condition(*statement.condition), yes, statement.otherwise.empty() ? after : no);
  builder_.SetInsertPoint(yes);
  emit_body(statement.then, false);
  if (!terminated()) builder_.CreateBr(after);
  if (statement.otherwise.empty()) {
    no->eraseFromParent();
  } else {
    builder_.SetInsertPoint(no);
    emit_body(statement.otherwise, false);
    if (!terminated()) builder_.CreateBr(after);
  }
  builder_.SetInsertPoint(after);
  if (after->hasNPredecessors(0)) builder_.CreateUnreachable();
}

void FunctionEmitter::emit(const typed::Break&) {
  if (!loops_.empty()) {
    builder_.CreateBr(loops_.back().out);
  } else {
    TRC_ASSERT(parent_ != nullptr);
    builder_.CreateRet(i64(kLeaveLoop));
  }
}

void FunctionEmitter::emit(const typed::Continue&) {
  if (!loops_.empty()) {
    builder_.CreateBr(loops_.back().next);
  } else {
    TRC_ASSERT(parent_ != nullptr);
    builder_.CreateRet(i64(is_part_ ? kPartContinues : kContinueLoop));
  }
}

void FunctionEmitter::emit(const typed::Return& statement) {
  if (statement.leaves_program && state_.function) builder_.CreateAlignedStore(builder_.getInt32(1), module_.leaving(), llvm::Align(4), true);
  return_from_program(statement.value ? scalar(*statement.value) : default_return());
}

void FunctionEmitter::return_from_program(llvm::Value* value) {
  if (!parent_) {
    builder_.CreateStore(value, result_);
    builder_.CreateBr(exit_);
    return;
  }
  state_.returns_from_loop = true;
  builder_.CreateStore(i64(1), frame_at(kFrameReturned).pointer);
  builder_.CreateStore(value, frame_at(kFrameResult).pointer);
  builder_.CreateRet(i64(kLeaveLoop));
}

// ---- loops that are callbacks ----

llvm::Function* FunctionEmitter::make_callback(const char* what, llvm::ArrayRef<llvm::Type*> parameters, Span span) {
  auto* type = llvm::FunctionType::get(builder_.getInt64Ty(), parameters, false);
  auto* callback = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                          fmt::format("{}_{}{}", state_.program.name, what, ++state_.callbacks), module_.module);
  callback->addFnAttr(llvm::Attribute::NoInline);
  callback->setDoesNotThrow();
  module_.debug.describe_function(*callback, span);
  return callback;
}

void FunctionEmitter::emit_callback(llvm::Function* callback, unsigned context_argument, const std::function<void(FunctionEmitter&)>& body) {
  FunctionEmitter inner(state_, callback, this);
  LocationScope location(inner, span_);
  inner.frame_ = callback->getArg(context_argument);
  body(inner);
  if (!inner.terminated()) inner.builder_.CreateRet(inner.i64(kContinueLoop));
}

// A return inside the loop's body ends the program, so each function on the way looks at the flag.
void FunctionEmitter::leave_after_loop_call() {
  if (!state_.returns_from_loop) return;
  auto* returned = builder_.CreateLoad(builder_.getInt64Ty(), frame_at(kFrameReturned).pointer);
  if_then(builder_.CreateIsNotNull(returned), [&] {
    if (parent_) {
      builder_.CreateRet(i64(kLeaveLoop));
    } else {
      builder_.CreateStore(builder_.CreateLoad(builder_.getInt64Ty(), frame_at(kFrameResult).pointer), result_);
      builder_.CreateBr(exit_);
    }
  });
}

// ---- loops ----

bool FunctionEmitter::is_deep(const typed::Statements& body) const {
  int callbacks = 0;
  for (const FunctionEmitter* around = parent_; around; around = around->parent_) ++callbacks;
  return callbacks >= (take_stacks(body) ? kMostAroundStacks : kMostNestedCallbacks);
}

void FunctionEmitter::native_loop(const std::function<llvm::Value*()>& condition, const std::function<void()>& next, const typed::Statements& statements) {
  llvm::BasicBlock *head = block("loop"), *body = block("body"), *step = block("step"), *after = block("after");
  builder_.CreateBr(head);
  builder_.SetInsertPoint(head);
  builder_.CreateCondBr(condition(), body, after);
  builder_.SetInsertPoint(body);
  loops_.push_back({step, after});
  emit_body(statements, false);
  loops_.pop_back();
  fall_into(step);
  next();
  builder_.CreateBr(head);
  builder_.SetInsertPoint(after);
}

llvm::Value* FunctionEmitter::forget(llvm::Value* value, llvm::Value* unknown) {
  auto* wide = builder_.getInt64Ty();
  auto* type = llvm::FunctionType::get(wide, {wide, wide}, false);
  return builder_.CreateCall(llvm::InlineAsm::get(type, "$0 ^= $2\n$0 ^= $2", "=&r,0,r", true), {value, unknown});
}

void FunctionEmitter::forget_changed(const std::set<typed::SlotId>& changed, llvm::Value* unknown) {
  for (const typed::SlotId id : changed) {
    const lang::Type& type = state_.program.slots[id];
    // Scratch memory is unknown as it is. What is a pointer to the verifier must stay one.
    if (!is_scalar(type) || type.is(lang::TypeKind::Pointer) || state_.slots[id].in_scratch) continue;
    store_scalar(forget(load_scalar(slot(id), type), unknown), type, slot(id));
  }
}

llvm::Value* FunctionEmitter::bpf_loop(llvm::Value* rounds, llvm::Function* callback) {
  const Place left_at = frame_at(kFrameRounds);
  auto* wide = builder_.getInt64Ty();
  llvm::Value* left = builder_.CreateLoad(wide, left_at.pointer);
  // Not another round of the loops around it either.
  if_then(builder_.CreateICmpSLE(left, i64(0)), [&] {
    report_error("this run of the probe was ended, for its loops had made 67,108,864 rounds", span_);
    return_from_program(default_return());
  }, true);
  // Where the verifier inlines the helper, an error has its sign in 32 bits only.
  llvm::Value* done = builder_.CreateSExt(builder_.CreateTrunc(helper(BPF_FUNC_loop, {rounds, callback, frame_, i64(0)}), builder_.getInt32Ty()), wide);
  left = builder_.CreateSub(builder_.CreateLoad(wide, left_at.pointer), done);
  builder_.CreateStore(forget(left, done), left_at.pointer);
  return done;
}

// A call per round, so that the verifier need not see an end to it: of a native loop it follows each round, as far as it knows the values.
void FunctionEmitter::emit(const typed::While& statement) {
  if (is_deep(statement.body)) return native_loop([&] { return condition(*statement.condition); }, [] {}, statement.body);
  const auto changed = changed_slots(statement.body, statement.condition.get());
  llvm::Function* callback = make_callback("while", {builder_.getInt64Ty(), pointer_type()}, span_);
  emit_callback(callback, 1, [&](FunctionEmitter& inner) {
    inner.forget_changed(changed, callback->getArg(0));
    llvm::BasicBlock *body = inner.block("body"), *out = inner.block("out");
    inner.builder_.CreateCondBr(inner.condition(*statement.condition), body, out);
    inner.builder_.SetInsertPoint(out);
    inner.builder_.CreateRet(i64(kLeaveLoop));
    inner.builder_.SetInsertPoint(body);
    inner.emit_body(statement.body, false);
  });
  llvm::Value* done = bpf_loop(i64(kMostRounds), callback);
  if_then(builder_.CreateICmpEQ(done, i64(kMostRounds)), [&] { report_error("a loop was ended after 8,388,608 rounds, the most the kernel allows", span_); }, true);
  leave_after_loop_call();
}

// The only error of bpf_loop with arguments like ours.
constexpr const char* kTooManyRounds = "a loop of more than 8,388,608 rounds, which is the most the kernel allows, did not run";

void FunctionEmitter::emit(const typed::ForRange& statement) {
  llvm::Value* from = scalar(*statement.from);
  llvm::Value* to = scalar(*statement.to);
  const lang::Type& type = state_.program.slots[statement.variable];
  if (is_deep(statement.body)) {
    const Place at = frame_at(add_to_frame(8)), end = frame_at(add_to_frame(8));
    auto* wide = builder_.getInt64Ty();
    builder_.CreateStore(from, at.pointer);
    builder_.CreateStore(to, end.pointer);
    const auto holds = [&] {
      llvm::Value* index = builder_.CreateLoad(wide, at.pointer);
      store_scalar(index, type, slot(statement.variable));
      return builder_.CreateICmpSLT(index, builder_.CreateLoad(wide, end.pointer));
    };
    const auto next = [&] { builder_.CreateStore(builder_.CreateAdd(builder_.CreateLoad(wide, at.pointer), i64(1)), at.pointer); };
    return native_loop(holds, next, statement.body);
  }
  const std::uint32_t base = add_to_frame(8);
  builder_.CreateStore(from, frame_at(base).pointer);
  llvm::Function* callback = make_callback("for", {builder_.getInt64Ty(), pointer_type()}, span_);
  emit_callback(callback, 1, [&](FunctionEmitter& inner) {
    auto& b = inner.builder_;
    auto* index = b.CreateAnd(callback->getArg(0), inner.i64(0xffffffff));
    auto* start = b.CreateLoad(b.getInt64Ty(), inner.frame_at(base).pointer);
    inner.forget_changed(changed_slots(statement.body), index);
    inner.store_scalar(b.CreateAdd(start, index), type, inner.slot(statement.variable));
    inner.emit_body(statement.body, false);
  });
  // An empty range is jumped over: the kernel (6.18) trips over a callback that it can prove is never called.
  if_then(builder_.CreateICmpSLT(from, to), [&] {
    // The helper takes 32 bits and refuses more than it can do.
    llvm::Value* count = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, builder_.CreateSub(to, from), i64(0xffffffff));
    llvm::Value* done = bpf_loop(count, callback);
    if_then(builder_.CreateICmpSLT(done, i64(0)), [&] { report_error(kTooManyRounds, span_); }, true);
    leave_after_loop_call();
  });
}

void FunctionEmitter::emit(const typed::ForMap& statement) {
  const image::MapEntry& entry = module_.map_entry(statement.map);
  const lang::Type& pair = state_.program.slots[statement.variable];
  llvm::Function* callback = make_callback("each", {pointer_type(), pointer_type(), pointer_type(), pointer_type()}, span_);
  emit_callback(callback, 3, [&](FunctionEmitter& inner) {
    llvm::Value *key = callback->getArg(1), *value = callback->getArg(2);
    const Place variable = inner.slot(statement.variable);
    inner.forget_changed(changed_slots(statement.body), inner.builder_.CreateZExt(inner.builder_.CreateLoad(inner.builder_.getInt8Ty(), key), inner.builder_.getInt64Ty()));
    inner.zero_padding(pair, variable);
    inner.copy(inner.offset(variable, pair.fields[0].offset), {key, llvm::Align(8)}, entry.key_size);
    const Place second = inner.offset(variable, pair.fields[1].offset);
    if (entry.value.is_aggregate()) {
      inner.store_scalar(inner.aggregate_value(statement.map, key), pair.fields[1].type, second);
    } else {
      inner.copy(second, {value, llvm::Align(8)}, entry.value_size);
    }
    inner.emit_body(statement.body, false);
  });
  auto* done = helper(BPF_FUNC_for_each_map_elem, {module_.map(statement.map), callback, frame_, i64(0)});
  if_then(builder_.CreateICmpSLT(done, i64(0)), [&] { report_failure("for_each_map_elem", done, span_); }, true);
  leave_after_loop_call();
}

void FunctionEmitter::claim_scratch() {
  if (parent_) return parent_->claim_scratch();
  if (claimed_) return;
  claimed_ = true;
  TRC_ASSERT(claim_point_ != nullptr);
  llvm::IRBuilder<>::InsertPointGuard guard(builder_);
  llvm::BasicBlock *claim = block("claim"), *busy = block("busy"), *statement = claim_point_->getSuccessor(0);
  builder_.SetInsertPoint(claim);
  module_.scratch(0);
  auto* slot = builder_.CreateCall(module_.library_function("trc_scratch_claim"));
  builder_.CreateCondBr(builder_.CreateIsNull(slot), busy, statement, rarely());
  builder_.SetInsertPoint(busy);
  count_loss(offsetof(image::LossCounters, scratch_busy));
  builder_.CreateBr(exit_);
  claim_point_->setSuccessor(0, claim);
  // On the way in, before the branch: both readers find it.
  builder_.SetInsertPoint(claim->getTerminator());
  builder_.CreateStore(slot, scratch_);
  builder_.CreateStore(slot, frame_at(kFrameScratch).pointer);
}

llvm::Value* FunctionEmitter::scratch_base() {
  claim_scratch();
  return builder_.CreateLoad(pointer_type(), parent_ ? frame_at(kFrameScratch).pointer : scratch_);
}

llvm::Value* FunctionEmitter::context() {
  return parent_ ? static_cast<llvm::Value*>(builder_.CreateLoad(pointer_type(), frame_at(kFrameContext).pointer)) : function_->getArg(0);
}

}  // namespace trc::codegen
