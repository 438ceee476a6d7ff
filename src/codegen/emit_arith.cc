// Integer operations, all in 64 bits.
#include "base/assert.h"
#include "codegen/function_emitter.h"

namespace trc::codegen {

llvm::Value* FunctionEmitter::emit_unary(const typed::Unary& op, const lang::Type& type) {
  llvm::Value* operand = scalar(op.operand);
  switch (op.op) {
    case typed::UnaryOp::Not: return builder_.CreateZExt(builder_.CreateIsNull(operand), builder_.getInt64Ty());
    case typed::UnaryOp::BitNot: return normalise(builder_.CreateNot(operand), type);
    case typed::UnaryOp::Negate: return normalise(builder_.CreateNeg(operand), type);
    case typed::UnaryOp::ByteSwap: {
      const unsigned bits = type.size * 8;
      if (bits <= 8) return operand;
      auto* narrow = builder_.CreateTrunc(operand, builder_.getIntNTy(bits));
      return normalise(builder_.CreateZExt(builder_.CreateUnaryIntrinsic(llvm::Intrinsic::bswap, narrow), builder_.getInt64Ty()), type);
    }
  }
  TRC_UNREACHABLE("unary operation");
}

llvm::Value* FunctionEmitter::emit_binary(const typed::Binary& op, const typed::Value& value) {
  using enum typed::BinaryOp;
  llvm::Value* left = scalar(op.left);
  llvm::Value* right = scalar(op.right);
  auto boolean = [&](llvm::Value* bit) { return builder_.CreateZExt(bit, builder_.getInt64Ty()); };
  auto count = [&] { return builder_.CreateAnd(right, i64(63)); };
  switch (op.op) {
    case Add: return builder_.CreateAdd(left, right);
    case Subtract: return builder_.CreateSub(left, right);
    case Multiply: return builder_.CreateMul(left, right);
    case DivideUnsigned:
    case DivideSigned:
    case ModuloUnsigned:
    case ModuloSigned: return emit_division(op, value.span, left, right);
    case And: return builder_.CreateAnd(left, right);
    case Or: return builder_.CreateOr(left, right);
    case Xor: return builder_.CreateXor(left, right);
    case ShiftLeft: return builder_.CreateShl(left, count());
    case ShiftRightLogical: return builder_.CreateLShr(left, count());
    case ShiftRightArithmetic: return builder_.CreateAShr(left, count());
    case Equal: return boolean(builder_.CreateICmpEQ(compared(left), compared(right)));
    case NotEqual: return boolean(builder_.CreateICmpNE(compared(left), compared(right)));
    case LessUnsigned: return boolean(builder_.CreateICmpULT(compared(left), compared(right)));
    case LessSigned: return boolean(builder_.CreateICmpSLT(compared(left), compared(right)));
    case LessEqualUnsigned: return boolean(builder_.CreateICmpULE(compared(left), compared(right)));
    case LessEqualSigned: return boolean(builder_.CreateICmpSLE(compared(left), compared(right)));
  }
  TRC_UNREACHABLE("binary operation");
}

// BPF before v4 divides unsigned only: divide the magnitudes, then give the result its sign. The smallest number divided by -1 wraps.
llvm::Value* FunctionEmitter::emit_division(const typed::Binary& op, Span span, llvm::Value* left, llvm::Value* right) {
  using enum typed::BinaryOp;
  const bool is_signed = op.op == DivideSigned || op.op == ModuloSigned;
  const bool modulo = op.op == ModuloUnsigned || op.op == ModuloSigned;
  auto magnitude = [&](llvm::Value* v, llvm::Value* sign) { return builder_.CreateSub(builder_.CreateXor(v, sign), sign); };
  auto divide = [&]() -> llvm::Value* {
    if (!is_signed) return modulo ? builder_.CreateURem(left, right) : builder_.CreateUDiv(left, right);
    llvm::Value* left_sign = builder_.CreateAShr(left, 63);
    llvm::Value* right_sign = builder_.CreateAShr(right, 63);
    llvm::Value *a = magnitude(left, left_sign), *b = magnitude(right, right_sign);
    if (modulo) return magnitude(builder_.CreateURem(a, b), left_sign);
    return magnitude(builder_.CreateUDiv(a, b), builder_.CreateXor(left_sign, right_sign));
  };
  if (auto* constant = llvm::dyn_cast<llvm::ConstantInt>(right); constant && !constant->isZero()) return divide();

  llvm::BasicBlock *by_zero = block("by_zero"), *fine = block("divide"), *after = block("quotient");
  builder_.CreateCondBr(builder_.CreateIsNull(right), by_zero, fine);
  builder_.SetInsertPoint(by_zero);
  report_error("Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result.", span);
  llvm::BasicBlock* zero_end = builder_.GetInsertBlock();
  builder_.CreateBr(after);
  builder_.SetInsertPoint(fine);
  llvm::Value* quotient = divide();
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  auto* result = builder_.CreatePHI(builder_.getInt64Ty(), 2);
  result->addIncoming(i64(1), zero_end);
  result->addIncoming(quotient, fine);
  return result;
}

llvm::Value* FunctionEmitter::emit_logical(const typed::Logical& op) {
  llvm::Value* left = condition(*op.left);
  llvm::BasicBlock* left_end = builder_.GetInsertBlock();
  llvm::BasicBlock *second = block("logical"), *after = block("decided");
  builder_.CreateCondBr(left, op.is_and ? second : after, op.is_and ? after : second);
  builder_.SetInsertPoint(second);
  llvm::Value* right = condition(*op.right);
  llvm::BasicBlock* right_end = builder_.GetInsertBlock();
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  auto* result = builder_.CreatePHI(builder_.getInt1Ty(), 2);
  result->addIncoming(builder_.getInt1(!op.is_and), left_end);
  result->addIncoming(right, right_end);
  return builder_.CreateZExt(result, builder_.getInt64Ty());
}

llvm::Value* FunctionEmitter::emit_select(const typed::Select& op) {
  llvm::Value* chosen = scalar(op.condition);
  llvm::BasicBlock *yes = block("then"), *no = block("else"), *after = block("after");
  builder_.CreateCondBr(builder_.CreateIsNotNull(chosen), yes, no);
  builder_.SetInsertPoint(yes);
  llvm::Value* then = op.then ? scalar(op.then) : chosen;
  llvm::BasicBlock* yes_end = builder_.GetInsertBlock();
  builder_.CreateBr(after);
  builder_.SetInsertPoint(no);
  llvm::Value* otherwise = scalar(op.otherwise);
  llvm::BasicBlock* no_end = builder_.GetInsertBlock();
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  auto* result = builder_.CreatePHI(builder_.getInt64Ty(), 2);
  result->addIncoming(then, yes_end);
  result->addIncoming(otherwise, no_end);
  return result;
}

llvm::Value* FunctionEmitter::emit_convert(const typed::Convert& op, const lang::Type& type) {
  if (!is_scalar(op.operand->type)) {  // a symbol or timestamp as an integer: its first word; an array: all of it
    const lang::Type word = op.operand->type.is(lang::TypeKind::Array) ? lang::make_integer(op.operand->type.size * 8, false) : lang::make_uint64();
    return normalise(load_scalar(address(*op.operand), word), type);
  }
  return normalise(scalar(op.operand), type);
}

llvm::Value* FunctionEmitter::emit_increment(const typed::IncrementSlot& op) {
  const lang::Type& type = state_.program.slots[op.slot];
  const Place place = slot(op.slot);
  llvm::Value* old = load_scalar(place, type);
  llvm::Value* changed = normalise(builder_.CreateAdd(old, i64(static_cast<std::uint64_t>(op.delta))), type);
  store_scalar(changed, type, place);
  return op.want_old ? old : changed;
}

}  // namespace trc::codegen
