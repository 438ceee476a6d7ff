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

constexpr std::uint64_t kMostConcatenated = 64 * 1024;   // bytes, as of a written type

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

/// The bytes of an array or a string that the script has; all of them unless fewer are asked for.
void bytes_of_value(CallLowering& call, ValuePtr value, const Length& length) {
  std::uint32_t size = value->type.size;
  if (const auto* text = std::get_if<typed::StringConstant>(&value->op); text && value->type.is_string()) size = static_cast<std::uint32_t>(text->bytes.size());
  if (length.value) {
    const auto* literal = std::get_if<typed::Constant>(&length.value->op);
    if (!literal) {
      call.report(Diag::ArgumentType, call.argument_span(1), "buf() of an array or a string expects a literal length");
      return;
    }
    size = static_cast<std::uint32_t>(std::min<std::uint64_t>(size, literal->bits));
  }
  std::vector<ValuePtr> arguments;
  arguments.push_back(std::move(value));
  arguments.push_back(typed::make_constant(lang::make_uint64(), call.span(), size));
  call.result(typed::make(lang::make_buffer(std::max(size, 1u)), call.span(), typed::CallStdlib{"trc_buffer", std::move(arguments)}));
}

void lower_buf(CallLowering& call) {
  Length length = length_argument(call);
  if (!length.ok) return;
  ValuePtr value = call.raw_argument(0);
  if (!value) return;
  if (value->type.is_string() || (value->type.is(TypeKind::Array) && value->type.element().size == 1)) return bytes_of_value(call, std::move(value), length);
  ValuePtr address = call.argument(0);
  if (!address) return;
  call.result(typed::make(lang::make_buffer(length.capacity), call.span(), typed::ReadBuffer{std::move(address), std::move(length.value)}));
}

void lower_strlen(CallLowering& call) {
  ValuePtr text = call.raw_argument(0);
  if (!text) return;
  if (!text->type.is_string()) {   // char *: read first
    const bool is_text = text->type.is(TypeKind::Pointer) && text->type.element().size == 1;
    if (is_text && text->type.space == lang::AddressSpace::None) {
      call.report(Diag::NotAvailableHere, call.argument_span(0), "which address space? a pointer says kernel or user memory only in probes of one or the other")
          .with_hint("use kptr() or uptr()");
      return;
    }
    if (is_text) text = typed::make(lang::make_string(call.surroundings().max_strlen), call.argument_span(0), typed::ReadString{std::move(text), nullptr});
    else text = call.argument(0);   // says what is wrong
  }
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

ValuePtr size_of(const typed::Value& value) { return typed::make_constant(lang::make_uint64(), value.span, value.type.size); }

/// Where the second text begins in the first one, -1: nowhere.
ValuePtr find_text(CallLowering& call) {
  ValuePtr text = call.argument(0), wanted = call.argument(1);
  if (!text || !wanted) return nullptr;
  std::vector<ValuePtr> arguments;
  ValuePtr text_size = size_of(*text), wanted_size = size_of(*wanted);
  arguments.push_back(std::move(text));
  arguments.push_back(std::move(text_size));
  arguments.push_back(std::move(wanted));
  arguments.push_back(std::move(wanted_size));
  return typed::make(lang::make_int64(), call.span(), typed::CallStdlib{"trc_string_find", std::move(arguments)});
}

void lower_strstr(CallLowering& call) {
  if (ValuePtr found = find_text(call)) call.result(std::move(found));
}

void lower_strcontains(CallLowering& call) {
  ValuePtr found = find_text(call);
  if (!found) return;
  ValuePtr zero = typed::make_constant(lang::make_int64(), call.span(), 0);
  call.result(typed::make_binary(typed::BinaryOp::LessEqualSigned, lang::make_bool(), call.span(), std::move(zero), std::move(found)));
}

void lower_strcap(CallLowering& call) {
  ValuePtr text = call.argument(0);
  if (text) call.result(typed::make_constant(lang::make_int64(), call.span(), text->type.size));
}

/// The result holds both texts whole, whatever max_strlen is.
void lower_str_concat(CallLowering& call) {
  ValuePtr left = call.argument(0), right = call.argument(1);
  if (!left || !right) return;
  const std::uint64_t capacity = std::uint64_t{left->type.size} + right->type.size;
  if (capacity > kMostConcatenated) {
    call.report(Diag::LimitExceeded, call.span(), fmt::format("str_concat() makes a string of {} bytes, the limit is {}", capacity, kMostConcatenated));
    return;
  }
  ValuePtr left_size = size_of(*left), right_size = size_of(*right);
  std::vector<ValuePtr> arguments;
  arguments.push_back(std::move(left));
  arguments.push_back(std::move(left_size));
  arguments.push_back(std::move(right));
  arguments.push_back(std::move(right_size));
  call.result(typed::make(lang::make_string(static_cast<std::uint32_t>(capacity)), call.span(), typed::CallStdlib{"trc_string_concat", std::move(arguments)}));
}

/// -1, 0 or 1, as unsigned bytes compare.
void lower_memcmp(CallLowering& call) {
  const auto size = call.literal_int(2);
  ValuePtr sides[] = {call.raw_argument(0), call.raw_argument(1)};
  if (!size || !sides[0] || !sides[1]) return;
  std::vector<ValuePtr> arguments;
  for (std::size_t i = 0; i < 2; ++i) {
    ValuePtr& side = sides[i];
    const bool is_array = side->type.is_string() || side->type.is(TypeKind::Array);
    if (!is_array && !side->type.is(TypeKind::Buffer)) {
      call.report(Diag::ArgumentType, call.argument_span(i), fmt::format("memcmp() expects an array, a string or a buffer, found {}", lang::type_name(side->type)));
      return;
    }
    const std::uint32_t skip = is_array ? 0 : 4, have = side->type.size - skip;   // the bytes of a buffer lie behind their number
    if (*size < 0 || *size > have) {
      call.report(Diag::ArgumentType, call.argument_span(2), fmt::format("memcmp() cannot compare {} bytes of '{}'", *size, lang::type_name(side->type)));
      return;
    }
    arguments.push_back(std::move(side));
    arguments.push_back(typed::make_constant(lang::make_uint64(), call.span(), skip));
  }
  arguments.push_back(typed::make_constant(lang::make_uint64(), call.span(), static_cast<std::uint64_t>(*size)));
  call.result(typed::make(lang::make_integer(32, true), call.span(), typed::CallStdlib{"trc_memory_compare", std::move(arguments)}));
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

constexpr Param kTexts[] = {{.name = "text", .type = "string"}, {.name = "wanted", .type = "string"}};
constexpr Param kMemcmp[] = {{.name = "a", .type = "any"}, {.name = "b", .type = "any"}, {.name = "n", .type = "literal int"}};

constexpr BuiltinSpec kRows[] = {
    {.name = "strcontains", .params = kTexts, .result = "bool", .lower = lang::Custom{lower_strcontains}, .doc = "Whether a text has another one in it.",
     .example = "begin { print(strcontains(\"haystack\", \"yst\")); }", .prints = "true"},
    {.name = "strstr", .params = kTexts, .result = "int64", .lower = lang::Custom{lower_strstr}, .doc = "Where a text begins in another one, from 0; -1: nowhere.",
     .example = "begin { print(strstr(\"haystack\", \"yst\")); }", .prints = "2"},
    {.name = "str_concat", .params = kTexts, .lower = lang::Custom{lower_str_concat}, .doc = "Two texts as one.",
     .example = "begin { print(str_concat(\"hay\", \"stack\")); }", .prints = "haystack"},
    {.name = "strcap", .params = kString, .result = "int64", .lower = lang::Custom{lower_strcap}, .doc = "How many bytes a text can have, its NUL included.",
     .example = "begin { print(strcap(\"four\")); }", .prints = "5"},
    {.name = "memcmp", .params = kMemcmp, .result = "int32", .lower = lang::Custom{lower_memcmp},
     .doc = "Compares the first n bytes of arrays, strings or buffers: -1, 0 or 1.", .example = "begin { print(memcmp(\"ab\", \"ac\", 2)); }", .prints = "-1"},
    {.name = "str", .params = kStr, .lower = lang::Custom{lower_str},
     .doc = "The NUL-terminated text at an address, at most length bytes with the NUL; the text of a positional parameter.",
     .example = "tracepoint:syscalls:sys_enter_openat { print(str(args.filename)); }"},
    {.name = "buf", .params = kStr, .lower = lang::Custom{lower_buf}, .doc = "The bytes at an address, or of an array or a string.",
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
