// Strings and memory.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/lowering.h"
#include "builtins/families.h"

namespace trc::builtins {
namespace {

using ast::CallLowering;
using lang::BuiltinSpec;
using lang::Param;
using lang::Type;
using lang::TypeKind;
using typed::ValuePtr;

ValuePtr string_constant(std::string text, Span span) {
  const Type type = lang::make_string(static_cast<std::uint32_t>(text.size()) + 1);
  return typed::make(type, span, typed::StringConstant{std::move(text)});
}

/// The text of str($1) and str($1 + n): a positional parameter is a text here even if it looks like a number.
std::optional<std::string> positional_text(CallLowering& call, const ast::Expr& e) {
  if (const auto* positional = std::get_if<ast::Positional*>(&e)) {
    const auto& all = *call.surroundings().positionals;
    const std::uint32_t number = (*positional)->number;
    return number >= 1 && number <= all.size() ? all[number - 1] : "";
  }
  const auto* sum = std::get_if<ast::Binary*>(&e);
  if (!sum || (*sum)->op != ast::BinaryOp::Add) return std::nullopt;
  const auto text = positional_text(call, (*sum)->left);
  const auto* skip = std::get_if<ast::Integer*>(&(*sum)->right);
  if (!text || !skip) return std::nullopt;
  return text->substr(std::min<std::size_t>((*skip)->value, text->size()));
}

struct Length {
  ValuePtr value;               // null: not given
  std::uint32_t capacity = 0;   // what the result must hold
  bool ok = true;
};

/// The optional second argument of str and buf, clipped to max_strlen when it is a literal.
Length length_argument(CallLowering& call) {
  const std::uint32_t most = call.surroundings().max_strlen;
  if (call.argument_count() < 2) return {nullptr, most};
  ValuePtr value = call.argument(1);
  if (!value) return {nullptr, most, false};
  const auto* literal = std::get_if<typed::Constant>(&value->op);
  if (!literal) return {call.convert(std::move(value), lang::make_uint64()), most};
  const auto given = static_cast<std::int64_t>(literal->bits);
  if (given < 0 && value->type.is_signed) {
    call.report(Diag::ArgumentType, call.argument_span(1), fmt::format("{}() cannot use a negative length ({} provided)", call.name(), given));
    return {nullptr, most, false};
  }
  if (literal->bits > most) {
    call.report(Diag::MissingParameter, call.argument_span(1),
                fmt::format("length param ({}) is too long and will be shortened to {} bytes (see TRC_MAX_STRLEN)", literal->bits, most));
  }
  const auto kept = static_cast<std::uint32_t>(std::min<std::uint64_t>(literal->bits, most));
  return {typed::make_constant(lang::make_uint64(), call.argument_span(1), kept), std::max(kept, 1u)};
}

/// A length for a literal text keeps so many characters (language.md DB-12).
ValuePtr cut_literal(CallLowering& call, std::string text, const Length& length) {
  if (length.value) {
    if (const auto* literal = std::get_if<typed::Constant>(&length.value->op)) text = text.substr(0, literal->bits);
  }
  return string_constant(std::move(text), call.span());
}

void lower_str(CallLowering& call) {
  Length length = length_argument(call);
  if (!length.ok) return;
  if (const auto text = positional_text(call, call.argument_expr(0))) return call.result(cut_literal(call, *text, length));
  ValuePtr value = call.raw_argument(0);
  if (!value) return;
  if (value->type.is_string()) {
    if (const auto* literal = std::get_if<typed::StringConstant>(&value->op)) return call.result(cut_literal(call, literal->bytes, length));
    return call.result(std::move(value));
  }
  ValuePtr address = call.argument(0);
  if (!address) return;
  call.result(typed::make(lang::make_string(length.capacity), call.span(), typed::ReadString{std::move(address), std::move(length.value)}));
}

void lower_buf(CallLowering& call) {
  Length length = length_argument(call);
  if (!length.ok) return;
  ValuePtr address = call.argument(0);
  if (!address) return;
  call.result(typed::make(lang::make_buffer(length.capacity), call.span(), typed::ReadBuffer{std::move(address), std::move(length.value)}));
}

void lower_strlen(CallLowering& call) {
  ValuePtr text = call.argument(0);
  if (text) call.result(typed::make(lang::make_uint64(), call.span(), typed::StringLength{std::move(text)}));
}

/// 0 when the first n characters are the same, not ordered otherwise.
void lower_strncmp(CallLowering& call) {
  const auto limit = call.literal_int(2);
  ValuePtr left = call.argument(0), right = call.argument(1);
  if (!limit || !left || !right) return;
  if (*limit < 0) {
    call.report(Diag::ArgumentType, call.argument_span(2), fmt::format("strncmp() cannot compare {} characters", *limit));
    return;
  }
  if (*limit == 0) return call.result(typed::make_constant(lang::make_uint64(), call.span(), 0));
  const auto most = static_cast<std::uint32_t>(std::min<std::int64_t>(*limit, std::max(left->type.size, right->type.size)));
  ValuePtr differs = typed::make(lang::make_bool(), call.span(), typed::CompareStrings{std::move(left), std::move(right), true, most});
  call.result(call.convert(std::move(differs), lang::make_uint64()));
}

template <lang::AddressSpace space>
void lower_space(CallLowering& call) {
  ValuePtr value = call.raw_argument(0);
  if (!value) return;
  if (value->type.is(TypeKind::Pointer)) {
    Type type = value->type;
    type.space = space;
    return call.result(call.convert(std::move(value), type));
  }
  value = call.argument(0);   // an address, as uint64
  if (value) call.result(call.convert(std::move(value), lang::make_pointer(lang::make_void(), space)));
}

constexpr Param kStr[] = {{.name = "text", .type = "pointer"}, {.name = "length", .type = "int", .optional = true}};
constexpr Param kString[] = {{.name = "text", .type = "string"}};
constexpr Param kStrncmp[] = {{.name = "a", .type = "string"}, {.name = "b", .type = "string"}, {.name = "n", .type = "literal int"}};
constexpr Param kAddress[] = {{.name = "pointer", .type = "address"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "str", .params = kStr, .lower = lang::Custom{lower_str},
     .doc = "The NUL-terminated text at an address, at most length bytes with the NUL; the text of a positional parameter.",
     .example = "tracepoint:syscalls:sys_enter_openat { print(str(args.filename)); }"},
    {.name = "buf", .params = kStr, .lower = lang::Custom{lower_buf}, .doc = "The bytes at an address.",
     .example = "tracepoint:syscalls:sys_enter_write { printf(\"%r\\n\", buf(args.buf, 8)); }"},
    {.name = "strlen", .params = kString, .result = "uint64", .lower = lang::Custom{lower_strlen}, .doc = "Length of a text.",
     .example = "begin { print(strlen(\"four\")); }", .prints = "4"},
    {.name = "strncmp", .params = kStrncmp, .result = "uint64", .lower = lang::Custom{lower_strncmp},
     .doc = "0 when two texts have the same first n characters.", .example = "begin { print(strncmp(\"able\", \"abort\", 2)); }", .prints = "0"},
    {.name = "kptr", .params = kAddress, .lower = lang::Custom{lower_space<lang::AddressSpace::Kernel>},
     .doc = "A pointer into kernel memory.", .example = "begin { print(kptr(0)); }", .prints = "0x0"},
    {.name = "uptr", .params = kAddress, .lower = lang::Custom{lower_space<lang::AddressSpace::User>},
     .doc = "A pointer into user memory.", .example = "begin { print(uptr(0)); }", .prints = "0x0"},
};

}  // namespace

std::span<const BuiltinSpec> string_builtins() { return kRows; }

}  // namespace trc::builtins
