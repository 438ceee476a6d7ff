// Values in memory: variables, temporaries, copies.
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "codegen/function_emitter.h"
#include "stdlib/scratch.h"

namespace trc::codegen {
namespace {

constexpr std::uint32_t kInlineStores = 32;         // up to so many loads and stores a copy is done in place, above by a helper

}  // namespace

Place FunctionEmitter::offset(Place place, std::uint64_t bytes) {
  if (bytes == 0) return place;
  return {builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), place.pointer, bytes), llvm::commonAlignment(place.align, bytes)};
}

std::uint32_t FunctionEmitter::allocate_scratch(std::uint32_t bytes) {
  const std::uint32_t at = state_.scratch_bytes;
  state_.scratch_bytes += (bytes + 7) / 8 * 8;
  state_.scratch_peak = std::max(state_.scratch_peak, state_.scratch_bytes);
  return at;
}

Place FunctionEmitter::scratch_at(std::uint32_t bytes) {
  llvm::Value* base = scratch_base();
  module_.scratch(state_.scratch_peak);
  return offset({base, llvm::Align(8)}, TRC_SCRATCH_HEADER + bytes);
}

Place FunctionEmitter::slot(typed::SlotId id) {
  const SlotPlace place = state_.slots[id];
  return place.in_scratch ? scratch_at(place.offset) : frame_at(place.offset);
}

Place FunctionEmitter::temporary(std::uint32_t bytes) {
  bytes = std::max(8u, (bytes + 7) / 8 * 8);
  const std::uint32_t limit = parent_ ? module_.budget.loop_temporaries : module_.budget.temporaries;
  if (bytes > module_.program.on_stack_limit) return scratch_at(allocate_scratch(bytes));
  for (Temporary& temporary : temporaries_) {
    if (temporary.in_use || temporary.bytes != bytes) continue;
    temporary.in_use = true;
    return {temporary.memory, llvm::Align(8)};
  }
  if (temporary_bytes_ + bytes > limit) return scratch_at(allocate_scratch(bytes));
  temporary_bytes_ += bytes;
  llvm::IRBuilder<> at_entry(entry_, entry_->begin());
  auto* memory = at_entry.CreateAlloca(llvm::ArrayType::get(builder_.getInt64Ty(), bytes / 8), nullptr, "temporary");
  memory->setAlignment(llvm::Align(8));
  temporaries_.push_back({memory, bytes, true});
  return {memory, llvm::Align(8)};
}

void FunctionEmitter::copy(Place to, Place from, std::uint32_t bytes) {
  if (bytes == 0) return;
  const auto unit = std::min<std::uint64_t>(8, std::min(to.align, from.align).value());
  if (bytes / unit <= kInlineStores) {
    builder_.CreateMemCpyInline(to.pointer, to.align, from.pointer, from.align, i64(bytes));
  } else {
    helper(BPF_FUNC_probe_read_kernel, {to.pointer, i64(bytes), from.pointer});
  }
}

void FunctionEmitter::zero(Place place, std::uint32_t bytes) {
  if (bytes == 0) return;
  const auto unit = std::min<std::uint64_t>(8, place.align.value());
  if (bytes / unit <= kInlineStores) {
    builder_.CreateMemSetInline(place.pointer, place.align, builder_.getInt8(0), i64(bytes));
  } else {
    helper(BPF_FUNC_probe_read_kernel, {place.pointer, i64(bytes), module_.zeros(bytes)});
  }
}

void FunctionEmitter::write_text(Place place, const std::string& bytes, std::uint32_t capacity) {
  const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), capacity));
  const auto unit = static_cast<std::uint32_t>(std::min<std::uint64_t>(8, place.align.value()));
  if (capacity / unit > kInlineStores) {
    copy(place, {module_.text(bytes, capacity), llvm::Align(8)}, capacity);
    return;
  }
  std::string padded = bytes.substr(0, size);
  padded.resize(capacity);
  for (std::uint32_t at = 0; at < capacity;) {
    std::uint32_t width = unit;
    while (width > capacity - at) width /= 2;
    std::uint64_t word = 0;
    std::memcpy(&word, padded.data() + at, width);
    auto* constant = llvm::ConstantInt::get(builder_.getIntNTy(width * 8), word);
    const Place to = offset(place, at);
    builder_.CreateAlignedStore(constant, to.pointer, to.align);
    at += width;
  }
}

llvm::Value* FunctionEmitter::load_scalar(Place place, const lang::Type& type) {
  const unsigned bits = std::clamp(type.size, 1u, 8u) * 8;
  llvm::Value* value = builder_.CreateAlignedLoad(builder_.getIntNTy(bits), place.pointer, place.align);
  if (bits == 64) return value;
  return type.is_signed ? builder_.CreateSExt(value, builder_.getInt64Ty()) : builder_.CreateZExt(value, builder_.getInt64Ty());
}

void FunctionEmitter::store_scalar(llvm::Value* value, const lang::Type& type, Place place) {
  const unsigned bits = std::clamp(type.size, 1u, 8u) * 8;
  if (bits < 64) value = builder_.CreateTrunc(value, builder_.getIntNTy(bits));
  builder_.CreateAlignedStore(value, place.pointer, place.align);
}

/// Bytes of tuples and records that belong to no element, so that equal values are equal bytes.
void FunctionEmitter::zero_padding(const lang::Type& type, Place place) {
  if (type.fields.empty()) return;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> used;
  for (const lang::Field& field : type.fields) used.emplace_back(field.offset, field.offset + field.type.size);
  std::sort(used.begin(), used.end());
  std::uint32_t at = 0;
  for (auto [from, to] : used) {
    if (from > at) zero(offset(place, at), from - at);
    at = std::max(at, to);
  }
  if (type.size > at) zero(offset(place, at), type.size - at);
}

llvm::Value* FunctionEmitter::load_field(Place base, const lang::Field& field) {
  llvm::Value* value = load_scalar(offset(base, field.offset), field.type);
  if (field.bit_size == 0) return value;
  // Shift the field to the top and back down, which extends it by its sign.
  const unsigned above = 64 - field.bit_offset - field.bit_size;
  value = builder_.CreateShl(value, above);
  return field.type.is_signed ? builder_.CreateAShr(value, 64 - field.bit_size) : builder_.CreateLShr(value, 64 - field.bit_size);
}

void FunctionEmitter::convert_in_memory(Place from, const lang::Type& from_type, Place to, const lang::Type& to_type) {
  if (from_type == to_type) return copy(to, from, to_type.size);
  if (is_scalar(to_type)) return store_scalar(normalise(load_scalar(from, from_type), to_type), to_type, to);
  if (to_type.is(lang::TypeKind::Tuple) || to_type.is(lang::TypeKind::Record)) {
    zero_padding(to_type, to);
    for (std::size_t i = 0; i < to_type.fields.size(); ++i) {
      const lang::Field &source = from_type.fields[i], &target = to_type.fields[i];
      convert_in_memory(offset(from, source.offset), source.type, offset(to, target.offset), target.type);
    }
    return;
  }
  const std::uint32_t size = std::min(from_type.size, to_type.size);
  copy(to, from, size);
  zero(offset(to, size), to_type.size - size);
}

}  // namespace trc::codegen
