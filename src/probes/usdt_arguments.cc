#include "probes/usdt_arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>

#include "base/strings.h"
#include "probes/arch.h"

namespace trc::probes {
namespace {

using lang::ContextValue;
using lang::UsdtSource;

/// The whole text as a number with a sign, decimal or 0x…
std::optional<std::int64_t> parse_signed(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const bool is_hex = text.starts_with("0x");
  if (is_hex) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, is_hex ? 16 : 10);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return static_cast<std::int64_t>(is_negative ? 0 - value : value);
}

/// "%rdi" that is an address: all 8 bytes of it.
std::optional<std::uint16_t> address_register(std::string_view text) {
  if (!text.starts_with('%')) return std::nullopt;
  const auto place = native_arch().find_register(text.substr(1));
  if (!place || place->bytes != 8) return std::nullopt;
  return place->offset;
}

/// "-8(%rbp,%rax,4)", "(%rdi)", "(,%rax,8)" is not written by compilers for USDT but costs nothing to refuse.
std::optional<UsdtSource> parse_memory(std::string_view text) {
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(')')) return std::nullopt;
  UsdtSource source{UsdtSource::Mode::Memory};
  if (open != 0) {
    const auto displacement = parse_signed(text.substr(0, open));
    if (!displacement) return std::nullopt;
    source.constant_or_displacement = *displacement;
  }
  const std::vector<std::string> parts = split(text.substr(open + 1, text.size() - open - 2), ',');
  if (parts.size() > 3) return std::nullopt;
  const auto base = address_register(trim(parts[0]));
  // Relative to the instruction pointer means relative to a symbol, whose place differs from site to site.
  if (!base || *base == native_arch().instruction_pointer) return std::nullopt;
  source.base_register = *base;
  if (parts.size() > 1) {
    const auto index = address_register(trim(parts[1]));
    if (!index) return std::nullopt;
    source.index_register = *index;
  }
  if (parts.size() > 2) {
    const auto scale = parse_signed(trim(parts[2]));
    if (!scale || (*scale != 1 && *scale != 2 && *scale != 4 && *scale != 8)) return std::nullopt;
    source.scale = static_cast<std::uint8_t>(*scale);
  }
  return source;
}

std::optional<UsdtSource> parse_operand(std::string_view text, unsigned bytes) {
  if (text.starts_with('$')) {
    const auto constant = parse_signed(text.substr(1));
    return constant ? std::optional(UsdtSource{UsdtSource::Mode::Constant, *constant}) : std::nullopt;
  }
  if (text.starts_with('%')) {
    const auto place = native_arch().find_register(text.substr(1));
    if (!place || place->bytes < bytes) return std::nullopt;
    return UsdtSource{UsdtSource::Mode::Register, 0, place->offset};
  }
  return parse_memory(text);
}

ContextValue parse_argument(std::string_view text, std::size_t number) {
  ContextValue value{"", lang::make_uint64(), UsdtSource{UsdtSource::Mode::Constant}, ""};
  const auto refuse = [&](std::string_view why) {
    value.why_unreadable = fmt::format("arg{} of this probe cannot be read: its operand is '{}', {}", number, text, why);
    return value;
  };
  const std::size_t at = text.find('@');
  std::string_view size = at == std::string_view::npos ? std::string_view() : text.substr(0, at);
  if (size.ends_with('f')) return refuse("a floating-point number");
  // An operand without a size is a whole word.
  const std::optional<std::int64_t> bytes = size.empty() ? std::optional<std::int64_t>(8) : parse_signed(size);
  if (!bytes) return refuse("which has an unknown size");
  const std::uint64_t width = static_cast<std::uint64_t>(*bytes < 0 ? -*bytes : *bytes);
  if (width != 1 && width != 2 && width != 4 && width != 8) return refuse("which is not an integer of 1, 2, 4 or 8 bytes");
  value.type = lang::make_integer(static_cast<unsigned>(width) * 8, *bytes < 0);
  const auto source = parse_operand(at == std::string_view::npos ? text : text.substr(at + 1), static_cast<unsigned>(width));
  if (!source) return refuse("not a constant, a general register or memory at one");
  value.source = *source;
  return value;
}

}  // namespace

std::vector<ContextValue> parse_usdt_arguments(std::string_view text) {
  std::vector<ContextValue> values;
  for (const std::string& word : split_words(text)) values.push_back(parse_argument(word, values.size()));
  return values;
}

}  // namespace trc::probes
