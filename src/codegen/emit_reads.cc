// Reading what a probe offers and other memory; comparing strings and memory.
#include <fmt/format.h>
#include <linux/bpf.h>
#include <llvm/IR/InlineAsm.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "codegen/function_emitter.h"

namespace trc::codegen {
namespace {

constexpr std::uint32_t kInlineCompare = 256;  // bytes compared without a loop

template <class... F>
struct Overloaded : F... { using F::operator()...; };
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

bool is_user(lang::AddressSpace space) {
  switch (space) {
    case lang::AddressSpace::User: return true;
    case lang::AddressSpace::None:   // a probe without addresses of its own: what it meets are kernel addresses
    case lang::AddressSpace::Kernel:
    case lang::AddressSpace::Bpf: return false;   // what programs have is kernel memory
  }
  TRC_UNREACHABLE("address space");
}

const std::string* constant_text(const typed::Value& value) {
  if (const auto* text = std::get_if<typed::StringConstant>(&value.op)) return &text->bytes;
  if (const auto* convert = std::get_if<typed::Convert>(&value.op)) return constant_text(*convert->operand);
  return nullptr;
}

}  // namespace

llvm::Value* FunctionEmitter::runtime_constant(typed::RuntimeConstant which) {
  // Volatile: LLVM must not take the initial zero for the value.
  return builder_.CreateAlignedLoad(builder_.getInt64Ty(), module_.constant(which), llvm::Align(8), true);
}

// The kernel allows loads from the context only at the offsets and widths it knows, with the offset in the instruction. LLVM would narrow
// a load, or make one of two by choosing between their addresses; so the instruction is written out. It has no side effects: the context
// stays what it is during a run.
llvm::Value* FunctionEmitter::load_context(std::uint32_t at, std::uint32_t bytes) {
  auto* type = llvm::FunctionType::get(builder_.getInt64Ty(), {pointer_type()}, false);
  const std::string instruction = fmt::format("$0 = *(u{} *)($1 + {})", bytes * 8, at);
  auto* call = builder_.CreateCall(llvm::InlineAsm::get(type, instruction, "=r,r", false), {context()});
  call->setDoesNotThrow();
  call->setMemoryEffects(llvm::MemoryEffects::none());
  return call;
}

llvm::Value* FunctionEmitter::load_register(std::uint32_t at) { return load_context(at, 8); }

// The helper gives numbers. What a program of this kind loads from its context the verifier takes for pointers to kernel structures, which it
// does not let be computed with.
llvm::Value* FunctionEmitter::traced_function_value(std::uint32_t at) {
  const Place place = temporary(8);
  builder_.CreateAlignedStore(i64(0), place.pointer, place.align);
  if (at == lang::kReturnedValue) {
    helper(BPF_FUNC_get_func_ret, {context(), place.pointer});
  } else {
    helper(BPF_FUNC_get_func_arg, {context(), builder_.getInt32(at / 8), place.pointer});
  }
  return builder_.CreateAlignedLoad(builder_.getInt64Ty(), place.pointer, place.align);
}

// The verifier follows pointers to kernel structures from the context on, through loads that it knows and constants that are added. A load through
// one that may be null is refused, so each is compared first.
void FunctionEmitter::with_object(const typed::KernelObject& object, const std::function<void(llvm::Value*)>& use) {
  auto* load = llvm::FunctionType::get(builder_.getInt64Ty(), {builder_.getInt64Ty()}, false);
  llvm::BasicBlock* after = block("object_used");
  const auto go_on_if_there = [&](llvm::Value* pointer) {
    llvm::BasicBlock* there = block("object");
    builder_.CreateCondBr(builder_.CreateIsNull(pointer), after, there);
    builder_.SetInsertPoint(there);
  };
  llvm::Value* pointer = load_context(std::get<lang::ContextSource>(object.base.source).offset, 8);
  go_on_if_there(pointer);
  for (std::size_t i = 0; i + 1 < object.offsets.size(); ++i) {
    const std::string instruction = fmt::format("$0 = *(u64 *)($1 + {})", object.offsets[i]);
    pointer = builder_.CreateCall(llvm::InlineAsm::get(load, instruction, "=r,r", true), {pointer});
    go_on_if_there(pointer);
  }
  const std::uint32_t last = object.offsets.empty() ? 0 : object.offsets.back();
  use(builder_.CreateIntToPtr(last == 0 ? pointer : builder_.CreateAdd(pointer, i64(last)), pointer_type()));
  fall_into(after);
}

llvm::Value* FunctionEmitter::ask_object(const typed::AskObject& op) {
  const Place answer = temporary(8);
  builder_.CreateAlignedStore(i64(0), answer.pointer, answer.align);
  with_object(op.object, [&](llvm::Value* object) { builder_.CreateAlignedStore(helper(op.helper, {object}), answer.pointer, answer.align); });
  return builder_.CreateAlignedLoad(builder_.getInt64Ty(), answer.pointer, answer.align);
}

// The kernel makes the path at the end of the room and moves it to the front, so something is left behind it.
Store FunctionEmitter::read_path(const typed::ReadPath& op, std::uint32_t capacity, Tail tail) {
  const Place made = temporary(capacity);
  builder_.CreateAlignedStore(builder_.getInt8(0), made.pointer, made.align);
  with_object(op.object, [&](llvm::Value* object) { check_read("d_path", helper(BPF_FUNC_d_path, {object, made.pointer, builder_.getInt32(capacity)})); });
  return [this, made, capacity, tail](Place to) {
    read_string(to, capacity, nullptr, builder_.CreatePtrToInt(made.pointer, builder_.getInt64Ty()), lang::AddressSpace::Kernel, tail);
  };
}

llvm::Value* FunctionEmitter::read_context(const lang::ContextValue& value) {
  using namespace lang;
  const Type& type = value.type;
  auto context_address = [&](llvm::Value* bytes) { return builder_.CreateAdd(builder_.CreatePtrToInt(context(), builder_.getInt64Ty()), bytes); };
  return std::visit(
      Overloaded{
          [&](const RegisterSource& source) { return normalise(load_register(source.offset), type); },
          [&](const ContextSource& source) -> llvm::Value* {
            if (state_.program.context.kind == ProgramKind::FunctionEntry || state_.program.context.kind == ProgramKind::FunctionExit) {
              return normalise(traced_function_value(source.offset), type);
            }
            if (state_.program.context.kind == ProgramKind::RawTracepoint) return normalise(load_register(source.offset), type);
            const bool is_checked = state_.program.context.kind == ProgramKind::Iterator;   // loads give pointers that cannot be computed with
            if (is_checked || source.offset % type.size != 0) return read_scalar(context_address(i64(source.offset)), AddressSpace::Kernel, type);
            return normalise(load_context(source.offset, type.size), type);
          },
          [&](const DataLocSource& source) -> llvm::Value* {
            auto* locator = load_context(source.offset, 4);
            return context_address(builder_.CreateAnd(locator, i64(0xffff)));
          },
          [&](const UsdtSource& source) -> llvm::Value* {
            const auto number = static_cast<std::uint64_t>(source.constant_or_displacement);
            switch (source.mode) {
              case UsdtSource::Mode::Constant: return normalise(i64(number), type);
              case UsdtSource::Mode::Register: return normalise(load_register(source.base_register), type);
              case UsdtSource::Mode::Memory:
              case UsdtSource::Mode::Address: break;
            }
            llvm::Value* at = builder_.CreateAdd(load_register(source.base_register), i64(number));
            if (source.index_register != 0xffff) {
              at = builder_.CreateAdd(at, builder_.CreateMul(load_register(source.index_register), i64(source.scale)));
            }
            return source.mode == UsdtSource::Mode::Address ? at : read_scalar(at, AddressSpace::User, type);
          },
      },
      value.source);
}

Store FunctionEmitter::prepare_context(const lang::ContextValue& value) {
  using namespace lang;
  llvm::Value* at = nullptr;
  if (const auto* in_record = std::get_if<ContextSource>(&value.source)) {
    at = builder_.CreateAdd(builder_.CreatePtrToInt(context(), builder_.getInt64Ty()), i64(in_record->offset));
  } else {
    at = read_context({.name = value.name, .type = make_uint64(), .source = value.source});
  }
  const Type& type = value.type;
  const AddressSpace space = std::holds_alternative<ContextSource>(value.source) || std::holds_alternative<DataLocSource>(value.source)
                                 ? AddressSpace::Kernel
                                 : state_.program.context.space;
  return [this, at, space, &type](Place to) {
    if (type.is_string()) return read_string(to, type.size, nullptr, at, space, Tail::Zero);
    read_memory(to, i64(type.size), at, space);
  };
}

// Goes through memory, for the verifier lets nobody compute with a pointer to a map, and forgets what a pointer points to once it has been kept in a
// map: of a number it knows neither. What is behind it is read as kernel memory.
llvm::Value* FunctionEmitter::as_number(llvm::Value* pointer) {
  const Place kept = temporary(8), number = temporary(8);
  builder_.CreateAlignedStore(pointer, kept.pointer, kept.align);
  helper(BPF_FUNC_probe_read_kernel, {number.pointer, i64(8), kept.pointer});
  return builder_.CreateAlignedLoad(builder_.getInt64Ty(), number.pointer, number.align);
}

// The kernel fills the target with zeros when a read fails, so a failing read is 0 without a branch.
void FunctionEmitter::read_memory(Place to, llvm::Value* bytes, llvm::Value* address, lang::AddressSpace space) {
  const bool user = is_user(space);
  check_read(user ? "probe_read_user" : "probe_read_kernel", helper(user ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel, {to.pointer, bytes, address}));
}

llvm::Value* FunctionEmitter::read_scalar(llvm::Value* address, lang::AddressSpace space, const lang::Type& type) {
  const Place place = temporary(8);
  read_memory(place, i64(std::clamp(type.size, 1u, 8u)), address, space);
  return load_scalar(place, type);
}

void FunctionEmitter::read_string(Place to, std::uint32_t capacity, llvm::Value* length, llvm::Value* address, lang::AddressSpace space, Tail tail) {
  const int read_text = is_user(space) ? BPF_FUNC_probe_read_user_str : BPF_FUNC_probe_read_kernel_str;
  const char* name = is_user(space) ? "probe_read_user_str" : "probe_read_kernel_str";
  if (tail == Tail::Zero) {
    zero(to, capacity);
  } else {
    builder_.CreateAlignedStore(builder_.getInt8(0), to.pointer, to.align);
  }
  if (length) {
    llvm::Value* limit = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, opaque(length), i64(capacity));
    if (auto* constant = llvm::dyn_cast<llvm::ConstantInt>(length)) limit = i64(std::min<std::uint64_t>(constant->getZExtValue(), capacity));
    if_then(builder_.CreateIsNotNull(limit), [&] { check_read(name, helper(read_text, {to.pointer, limit, address})); });
    return;
  }
  llvm::Value* read = helper(read_text, {to.pointer, i64(capacity), address});
  check_read(name, read);
  // When it was full, its last byte is what stood there: a text without NUL is known to be cut.
  if_then(builder_.CreateICmpEQ(read, i64(capacity)), [&] {
    const Place last = offset(to, capacity - 1);
    helper(is_user(space) ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel,
           {last.pointer, i64(1), builder_.CreateAdd(address, i64(capacity - 1))});
  }, true);
}

void FunctionEmitter::read_buffer(Place to, std::uint32_t capacity, llvm::Value* length, llvm::Value* address, lang::AddressSpace space) {
  llvm::Value* bytes = i64(capacity);
  if (length) bytes = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, opaque(length), i64(capacity));
  zero(to, capacity + 4);
  builder_.CreateAlignedStore(builder_.CreateTrunc(bytes, builder_.getInt32Ty()), to.pointer, to.align);
  read_memory(offset(to, 4), bytes, address, space);
}

// ---- comparing ----

llvm::Value* FunctionEmitter::compare_strings(const typed::CompareStrings& op) {
  const std::string *left = constant_text(*op.left), *right = constant_text(*op.right);
  llvm::Value* equal = nullptr;
  if (left && right) {
    const std::uint64_t limit = op.limit ? op.limit : std::max(left->size(), right->size()) + 1;
    equal = builder_.getInt1(std::strncmp(left->c_str(), right->c_str(), limit) == 0);
  } else if (left || right) {
    const typed::Value& other = left ? *op.right : *op.left;
    equal = equals_text(address(other), other.type.size, left ? *left : *right, op.limit);
  } else {
    const Place a = address(*op.left), b = address(*op.right);
    const std::uint32_t a_size = op.left->type.size, b_size = op.right->type.size;
    const std::uint32_t limit = op.limit ? std::min(op.limit, std::max(a_size, b_size)) : std::max(a_size, b_size);
    auto* same = builder_.CreateCall(module_.library_function("trc_strings_equal"),
                                     {a.pointer, builder_.getInt32(a_size), b.pointer, builder_.getInt32(b_size), builder_.getInt32(limit)});
    equal = builder_.CreateIsNotNull(same);
  }
  return builder_.CreateZExt(op.negate ? builder_.CreateNot(equal) : equal, builder_.getInt64Ty());
}

llvm::Value* FunctionEmitter::equals_text(Place place, std::uint32_t capacity, const std::string& text, std::uint32_t limit) {
  std::string wanted(text.c_str());  // up to a NUL
  const bool cut = limit != 0 && limit <= wanted.size();
  if (cut) wanted.resize(limit);
  if (wanted.size() > capacity) return builder_.getFalse();
  if (!cut && wanted.size() < capacity) wanted.push_back('\0');
  if (wanted.size() > kInlineCompare) {
    const auto size = static_cast<std::uint32_t>(wanted.size());
    auto* same = builder_.CreateCall(module_.library_function("trc_strings_equal"),
                                     {place.pointer, builder_.getInt32(capacity), module_.text(wanted, size), builder_.getInt32(size), builder_.getInt32(size)});
    return builder_.CreateIsNotNull(same);
  }
  llvm::Value* difference = i64(0);
  for (std::size_t at = 0; at < wanted.size();) {
    const Place here = offset(place, at);
    std::size_t width = std::min<std::uint64_t>(8, here.align.value());
    while (width > wanted.size() - at) width /= 2;
    std::uint64_t word = 0;
    std::memcpy(&word, wanted.data() + at, width);
    auto* type = builder_.getIntNTy(static_cast<unsigned>(width) * 8);
    auto* loaded = builder_.CreateAlignedLoad(type, here.pointer, here.align);
    auto* bits = builder_.CreateZExt(builder_.CreateXor(loaded, llvm::ConstantInt::get(type, word)), builder_.getInt64Ty());
    difference = builder_.CreateOr(difference, bits);
    at += width;
  }
  return builder_.CreateIsNull(difference);
}

// Same type on both sides. Tuples are compared element by element, so padding does not matter; strings end with zeros in memory.
llvm::Value* FunctionEmitter::compare_memory(Place left, Place right, const lang::Type& type) {
  if (is_scalar(type)) return builder_.CreateICmpEQ(load_scalar(left, type), load_scalar(right, type));
  if (type.is(lang::TypeKind::Tuple) || type.is(lang::TypeKind::Record) || type.is(lang::TypeKind::Struct)) {
    llvm::Value* equal = builder_.getTrue();
    for (const lang::Field& field : type.fields) {
      llvm::Value* same = nullptr;
      if (field.bit_size) {
        same = builder_.CreateICmpEQ(load_field(left, field), load_field(right, field));
      } else {
        same = compare_memory(offset(left, field.offset), offset(right, field.offset), field.type);
      }
      equal = builder_.CreateAnd(equal, same);
    }
    return equal;
  }
  if (type.size > kInlineCompare) {
    auto* same = builder_.CreateCall(module_.library_function("trc_memory_equal"), {left.pointer, right.pointer, builder_.getInt32(type.size)});
    return builder_.CreateIsNotNull(same);
  }
  llvm::Value* difference = i64(0);
  for (std::uint32_t at = 0; at < type.size;) {
    const Place a = offset(left, at), b = offset(right, at);
    auto width = static_cast<std::uint32_t>(std::min<std::uint64_t>(8, std::min(a.align, b.align).value()));
    while (width > type.size - at) width /= 2;
    auto* word = builder_.getIntNTy(width * 8);
    auto* bits = builder_.CreateXor(builder_.CreateAlignedLoad(word, a.pointer, a.align), builder_.CreateAlignedLoad(word, b.pointer, b.align));
    difference = builder_.CreateOr(difference, builder_.CreateZExt(bits, builder_.getInt64Ty()));
    at += width;
  }
  return builder_.CreateIsNull(difference);
}

}  // namespace trc::codegen
