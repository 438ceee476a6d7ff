// Types as written, and numbers as given on the command line.
#include <utility>

#include <fmt/format.h>

#include "ast/build.h"
#include "ast/passes/fold.h"
#include "ast/passes/lower.h"
#include "base/strings.h"
#include "source/suggest.h"
#include "types/foreign_types.h"

namespace trc::ast {

using lang::Type;
using lang::TypeKind;

namespace {

constexpr std::uint32_t kMaxTypeSize = 64 * 1024;

struct DurationUnit {
  std::string_view suffix;
  std::uint64_t ns;
};
constexpr DurationUnit kDurations[] = {{"ns", 1},
                                       {"us", 1'000},
                                       {"ms", 1'000'000},
                                       {"s", 1'000'000'000},
                                       {"m", 60'000'000'000},
                                       {"h", 3'600'000'000'000},
                                       {"d", 86'400'000'000'000}};

std::string without_separators(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool between = i > 0 && i + 1 < text.size();
    if (text[i] != '_' || !between) digits += text[i];
  }
  return digits;
}

std::optional<std::uint64_t> parse_magnitude(std::string text) {
  if (auto plain = parse_unsigned(text)) return plain;
  for (const DurationUnit& unit : kDurations) {
    if (!text.ends_with(unit.suffix)) continue;
    const auto number = parse_unsigned(text.substr(0, text.size() - unit.suffix.size()));
    std::uint64_t ns = 0;
    if (number && !__builtin_mul_overflow(*number, unit.ns, &ns)) return ns;
  }
  // 2e6, and the C suffixes u, l, ul …
  if (text.size() >= 3 && text[1] == 'e') {
    const auto mantissa = parse_unsigned(text.substr(0, 1)), exponent = parse_unsigned(text.substr(2));
    if (!mantissa || !exponent || *exponent > 19) return std::nullopt;
    std::uint64_t value = *mantissa;
    for (std::uint64_t i = 0; i < *exponent; ++i) {
      if (__builtin_mul_overflow(value, std::uint64_t{10}, &value)) return std::nullopt;
    }
    return value;
  }
  while (!text.empty() && (text.back() == 'u' || text.back() == 'l' || text.back() == 'U' || text.back() == 'L')) text.pop_back();
  return parse_unsigned(text);
}

}  // namespace

std::optional<typed::ValuePtr> parse_number(std::string_view text, Span span) {
  const bool is_negative = text.starts_with('-');
  const auto magnitude = parse_magnitude(without_separators(is_negative ? text.substr(1) : text));
  if (!magnitude) return std::nullopt;
  const Literal written{*magnitude};
  const auto folded = is_negative ? fold_unary(UnaryOp::Negate, written).value : written;
  if (!folded) return std::nullopt;
  return typed::make_constant(type_of(*folded), span, folded->bits);
}

std::optional<Type> BodyLowering::tagged_type(const TypeName& name) {
  const auto tag = name.tag == "struct" ? types::Tag::Struct : name.tag == "union" ? types::Tag::Union : types::Tag::Enum;
  if (auto type = shared_.input.types.find(tag, name.name)) return type;
  if (plan_.context.facts) {   // what the traced program calls so
    if (auto type = plan_.context.facts->types().find(tag, name.name)) return type;
  }
  Diagnostic& diagnostic = report(Diag::UnknownIdentifier, name.span, fmt::format("Cannot resolve unknown type \"{} {}\"", name.tag, name.name));
  const std::string why = shared_.input.types.why_no_kernel_types();
  if (!why.empty()) diagnostic.with_hint(why + "; define the type in the script");
  return std::nullopt;
}

std::optional<Type> BodyLowering::written_type(const TypeName& name, bool in_cast) {
  std::optional<Type> type;
  std::size_t next = 0;   // the first suffix that is not part of the base
  if (name.of_type) {
    type = written_type(*name.of_type);
  } else if (name.of) {
    type = type_of_unused(*name.of);
    if (type->is(TypeKind::None)) return std::nullopt;
  } else if (!name.tag.empty()) {
    type = tagged_type(name);
  } else if (name.name == "string" || name.name == "buffer") {
    std::uint64_t capacity = shared_.input.settings.settings.max_strlen;
    if (!name.suffixes.empty() && name.suffixes.front().has_count) {
      capacity = name.suffixes.front().count;
      next = 1;
    }
    if (capacity == 0 || capacity > kMaxTypeSize) {
      report(Diag::LimitExceeded, name.span, fmt::format("the size of a {} must be between 1 and {}", name.name, kMaxTypeSize));
      return std::nullopt;
    }
    type = name.name == "string" ? lang::make_string(static_cast<std::uint32_t>(capacity)) : lang::make_buffer(static_cast<std::uint32_t>(capacity));
  } else {
    type = shared_.input.types.find_own_typedef(name.name);
    if (!type) type = lang::find_named_type(name.name);
    if (!type) type = shared_.input.types.find_typedef(name.name);
    if (!type) {
      Diagnostic& diagnostic = report(Diag::UnknownIdentifier, name.span, "Unknown type: " + name.name);
      suggest(diagnostic, name.span, name.name, lang::named_types());
    }
  }
  if (!type) return std::nullopt;
  for (; next < name.suffixes.size(); ++next) {
    const TypeSuffix& suffix = name.suffixes[next];
    if (suffix.is_pointer) {
      type = lang::make_pointer(std::move(*type), lang::AddressSpace::None);
    } else if (!suffix.has_count && in_cast && next + 1 == name.suffixes.size()) {
      type = lang::make_array(shared_.input.types.completed(std::move(*type)).value_or(Type{}), 0);
    } else if (!suffix.has_count) {
      report(Diag::InvalidOperand, name.span, "an array needs its number of elements here").with_hint("only a cast takes it from what is cast: (uint8[])…");
      return std::nullopt;
    } else if (type = shared_.input.types.completed(std::move(*type)).value_or(Type{}); suffix.count == 0 || type->size == 0 || suffix.count > kMaxTypeSize / type->size) {
      report(Diag::LimitExceeded, name.span, fmt::format("an array must have between 1 and {} bytes", kMaxTypeSize));
      return std::nullopt;
    } else {
      type = lang::make_array(std::move(*type), static_cast<std::uint32_t>(suffix.count));
    }
  }
  return type;
}

}  // namespace trc::ast
