// Short ways to make nodes of the typed program. Used by the passes and by builtins.
#pragma once

#include <memory>
#include <utility>

#include "ast/typed_program.h"

namespace trc::typed {

template <class Op>
ValuePtr make(lang::Type type, Span span, Op op) {
  return std::make_unique<Value>(Value{std::move(type), span, std::move(op)});
}

inline ValuePtr make_constant(lang::Type type, Span span, std::uint64_t bits) { return make(std::move(type), span, Constant{bits}); }

inline ValuePtr make_binary(BinaryOp op, lang::Type type, Span span, ValuePtr left, ValuePtr right) {
  return make(std::move(type), span, Binary{op, std::move(left), std::move(right)});
}

/// A value of the context; one that is given by its address is read there.
inline ValuePtr make_context_value(const lang::ContextValue& value, Span span) {
  if (!value.by_address) return make(value.type, span, ReadContext{value});
  lang::ContextValue address = value;
  address.type = lang::make_pointer(value.type, lang::AddressSpace::User);
  return make(value.type, span, Dereference{make(address.type, span, ReadContext{address})});
}

/// A kernel helper without arguments; the result is 64 bits wide.
inline ValuePtr make_helper_call(int helper, Span span) { return make(lang::make_uint64(), span, CallHelper{helper, {}, false}); }

template <class Op>
Statement make_statement(Span span, Op op) {
  return Statement{span, std::move(op)};
}

}  // namespace trc::typed
