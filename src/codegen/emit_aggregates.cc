// count, sum, min, max, avg, stats, hist, lhist: updating one CPU's state, reading all of them. Layouts: lang/aggregates.h.
#include <linux/bpf.h>

#include <cstddef>

#include "base/assert.h"
#include "codegen/function_emitter.h"
#include "lang/aggregates.h"

namespace trc::codegen {
namespace {

constexpr std::uint64_t kSecondWord = 8;   // min, max: is_set; avg, stats: count

bool is_extreme(const lang::Type& type) { return type.is(lang::TypeKind::Min) || type.is(lang::TypeKind::Max); }
bool is_histogram(const lang::Type& type) { return type.is(lang::TypeKind::Histogram) || type.is(lang::TypeKind::LinearHistogram); }
bool is_series(const lang::Type& type) { return type.is(lang::TypeKind::TimeSeries); }
bool keeps_ranks(const lang::Type& type) {
  using lang::SeriesValue;
  return is_extreme(type) || (is_series(type) && (type.low == static_cast<std::int64_t>(SeriesValue::Smallest) || type.low == static_cast<std::int64_t>(SeriesValue::Largest)));
}

}  // namespace

void FunctionEmitter::emit(const typed::MapAggregate& statement) {
  const image::MapEntry& entry = module_.map_entry(statement.map);
  const lang::Type& type = entry.value;
  llvm::Value* key = key_pointer(statement.map, statement.key);
  llvm::Value* argument = statement.argument ? scalar(statement.argument) : i64(1);
  if (is_histogram(type)) argument = bucket_index(type, argument);
  if (keeps_ranks(type)) argument = rank(type, argument);
  const bool has_buckets = is_histogram(type) || is_series(type);
  auto initial = [&]() -> llvm::Value* {
    if (has_buckets) return module_.zeros(entry.value_size);
    const Place state = temporary(entry.value_size);
    builder_.CreateAlignedStore(argument, state.pointer, state.align);
    if (entry.value_size > kSecondWord) builder_.CreateAlignedStore(i64(1), offset(state, kSecondWord).pointer, state.align);
    return state.pointer;
  };
  update_element(statement.map, key, span_, initial, has_buckets,
                 [&](llvm::Value* element) { change_aggregate(type, element, argument); });
}

/// The number of the counter that a value belongs to, so bounded that the verifier knows it.
llvm::Value* FunctionEmitter::bucket_index(const lang::Type& type, llvm::Value* argument) {
  if (type.is(lang::TypeKind::Histogram)) {
    return builder_.CreateCall(module_.library_function("trc_bucket"),
                               {argument, builder_.getInt32(type.count), i64(lang::histogram_buckets(type.count))});
  }
  return builder_.CreateCall(module_.library_function("trc_linear_bucket"),
                             {argument, i64(static_cast<std::uint64_t>(type.low)), i64(static_cast<std::uint64_t>(type.high)),
                              i64(static_cast<std::uint64_t>(type.step)), i64(lang::linear_buckets(type))});
}

/// lang::rank_of(), which is its own inverse.
llvm::Value* FunctionEmitter::rank(const lang::Type& type, llvm::Value* value) {
  if (const std::uint64_t flipped = lang::rank_of(type, 0)) value = builder_.CreateXor(value, i64(flipped));
  return value;
}

/// `argument` of a histogram is the bucket number, of min and max the rank. Every change is atomic, also of one CPU's own copy: a program of
/// a user probe can be preempted between load and store, any program be interrupted by another one that changes the same map.
void FunctionEmitter::change_aggregate(const lang::Type& type, llvm::Value* element, llvm::Value* argument) {
  using enum lang::TypeKind;
  const Place first{element, llvm::Align(8)};
  auto add = [&](Place place, llvm::Value* delta) {
    builder_.CreateAtomicRMW(llvm::AtomicRMWInst::Add, place.pointer, delta, place.align, llvm::AtomicOrdering::SequentiallyConsistent);
  };
  switch (type.kind) {
    case Count: return add(first, i64(1));
    case Sum: return add(first, argument);
    case Avg:
    case Stats:
      add(first, argument);
      return add(offset(first, kSecondWord), i64(1));
    case Min:
    case Max: {
      auto* raised = builder_.CreateCall(module_.library_function("trc_raise"), {first.pointer, offset(first, kSecondWord).pointer, argument});
      return if_then(builder_.CreateIsNull(raised), [&] { count_loss(offsetof(image::LossCounters, contended)); }, true);
    }
    case Histogram:
    case LinearHistogram: {
      auto* counter = builder_.CreateGEP(builder_.getInt64Ty(), element, argument);
      return add({counter, llvm::Align(8)}, i64(1));
    }
    case TimeSeries: {
      auto* done = builder_.CreateCall(module_.library_function("trc_series"),
                                       {first.pointer, argument, i64(static_cast<std::uint64_t>(type.step)), i64(type.count),
                                        builder_.getInt32(static_cast<std::uint32_t>(type.low))});
      return if_then(builder_.CreateIsNull(done), [&] { count_loss(offsetof(image::LossCounters, contended)); }, true);
    }
    case None:
    case Void:
    case Bool:
    case Integer:
    case Pointer:
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
    case ProbeName:
    case Username:
    case MacAddress:
    case Inet:
    case CgroupPath: break;
  }
  TRC_UNREACHABLE("not an aggregate");
}

/// count, sum, min, max, avg over all CPUs; 0 when nothing was seen.
llvm::Value* FunctionEmitter::aggregate_value(typed::MapId map, llvm::Value* key) {
  const lang::Type& type = module_.map_entry(map).value;
  const bool extreme = is_extreme(type);
  const bool average = type.is(lang::TypeKind::Avg) || type.is(lang::TypeKind::Stats);
  TRC_ASSERT(!is_histogram(type) && !is_series(type));
  llvm::AllocaInst *total = local("total"), *second = local("second");
  auto load = [&](llvm::AllocaInst* from) { return builder_.CreateLoad(builder_.getInt64Ty(), from); };
  builder_.CreateStore(i64(0), total);
  builder_.CreateStore(i64(0), second);
  for_each_copy(map, key, [&](llvm::Value* copy) {
    const Place state{copy, llvm::Align(8)};
    llvm::Value* word = builder_.CreateAlignedLoad(builder_.getInt64Ty(), copy, llvm::Align(8));
    if (!extreme) {
      builder_.CreateStore(builder_.CreateAdd(load(total), word), total);
      if (!average) return;
      auto* count = builder_.CreateAlignedLoad(builder_.getInt64Ty(), offset(state, kSecondWord).pointer, llvm::Align(8));
      builder_.CreateStore(builder_.CreateAdd(load(second), count), second);
      return;
    }
    // A copy that was never set is 0, the smallest rank.
    llvm::Value* best = load(total);
    builder_.CreateStore(builder_.CreateSelect(builder_.CreateICmpULT(best, word), word, best), total);
    auto* is_set = builder_.CreateAlignedLoad(builder_.getInt64Ty(), offset(state, kSecondWord).pointer, llvm::Align(8));
    builder_.CreateStore(builder_.CreateOr(load(second), is_set), second);
  });
  if (extreme) return builder_.CreateSelect(builder_.CreateIsNotNull(load(second)), rank(type, load(total)), i64(0));
  if (!average) return load(total);
  llvm::AllocaInst* result = local("average");
  builder_.CreateStore(i64(0), result);
  if_then(builder_.CreateIsNotNull(load(second)), [&] {
    llvm::Value *sum = load(total), *sign = type.is_signed ? builder_.CreateAShr(sum, 63) : i64(0);
    auto* magnitude = builder_.CreateSub(builder_.CreateXor(sum, sign), sign);
    auto* quotient = builder_.CreateUDiv(magnitude, load(second));
    builder_.CreateStore(builder_.CreateSub(builder_.CreateXor(quotient, sign), sign), result);
  });
  return load(result);
}

}  // namespace trc::codegen
