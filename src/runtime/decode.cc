#include "runtime/decode.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <time.h>

#include <algorithm>
#include <iterator>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>

#include "base/assert.h"
#include "lang/aggregates.h"
#include "output/histogram.h"
#include "output/time_format.h"
#include "output/time_series.h"
#include "runtime/stack_text.h"
#include "symbols/symbolizer.h"

namespace trc::runtime {
namespace {

using lang::Type;
using lang::TypeKind;
using output::Value;
using Bytes = std::span<const std::byte>;

/// Types nest a few levels; an image that claims more is damaged.
constexpr int kMaxDepth = 64;

Bytes slice(Bytes bytes, std::size_t offset, std::size_t size) {
  if (offset >= bytes.size()) return {};
  return bytes.subspan(offset, std::min(size, bytes.size() - offset));
}

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

output::Text text(std::string value) { return {.text = std::move(value)}; }

output::Text decode_string(Bytes bytes, const Type& type) {
  const std::string_view whole = as_text(slice(bytes, 0, type.size));
  const std::size_t end = whole.find('\0');
  // No NUL in the whole capacity: something was cut off, or just fitted; the two cannot be told apart.
  return {.text = std::string(whole.substr(0, end)), .truncated = end == std::string_view::npos && type.size > 0 && whole.size() == type.size};
}

output::Bytes decode_buffer(Bytes bytes, const Type& type) {
  const std::uint64_t length = load_integer(bytes, 0, 4, false);
  const std::size_t capacity = type.size < 4 ? 0 : type.size - 4;
  return {std::string(as_text(slice(bytes, 4, std::min<std::uint64_t>(length, capacity))))};
}

output::Text decode_timestamp(Bytes bytes, const Type& type, const DecodeContext& context) {
  const std::uint64_t ns = load_integer(bytes, 0, 8, false);
  const std::uint64_t clock = load_integer(bytes, 8, 4, false);
  const auto& offsets = context.clocks.to_realtime;
  const std::int64_t offset = clock < offsets.size() ? offsets[clock] : 0;
  return text(output::format_time(type.name, static_cast<std::int64_t>(ns + static_cast<std::uint64_t>(offset))));
}

output::Text decode_stack(Bytes bytes, const Type& type, const DecodeContext& context) {
  const bool user = type.is(TypeKind::UserStack);
  const StackId id{load_integer(bytes, 0, 8, false), load_integer(bytes, 8, 8, false)};
  if ((id.low | id.high) == 0 || !context.stack) return {};
  const auto stack = context.stack(id);
  if (!stack) return text("\n        [lost: its frames found no room in the ring buffer]\n");
  const auto pid = static_cast<std::uint32_t>(user ? load_integer(bytes, 16, 4, false) : 0);
  return text(stack_text(type, *stack, pid, context));
}

symbols::Frame resolve(std::uint64_t address, bool user, std::uint32_t pid, const DecodeContext& context) {
  if (context.symbolizer == nullptr) return {.address = address};
  return user ? context.symbolizer->user(pid, address) : context.symbolizer->kernel(address);
}

output::Text decode_symbol(Bytes bytes, bool user, const DecodeContext& context) {
  const std::uint64_t address = load_integer(bytes, 0, 8, false);
  const auto pid = static_cast<std::uint32_t>(user ? load_integer(bytes, 8, 4, false) : 0);
  symbols::Frame frame = resolve(address, user, pid, context);
  return text(frame.symbol.empty() ? hexadecimal(address, "0x") : std::move(frame.symbol));
}

std::string user_name(std::uint32_t uid) {
  thread_local std::unordered_map<std::uint32_t, std::string> known;
  const auto [entry, fresh] = known.try_emplace(uid);
  if (!fresh) return entry->second;
  std::vector<char> buffer(16 * 1024);
  passwd record{};
  passwd* found = nullptr;
  const bool ok = ::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  return entry->second = ok ? found->pw_name : std::to_string(uid);
}

output::Text decode_mac_address(Bytes bytes) {
  std::string out;
  for (std::size_t i = 0; i < 6; i++) fmt::format_to(std::back_inserter(out), "{}{:02X}", i == 0 ? "" : ":", load_integer(bytes, i, 1, false));
  return text(std::move(out));
}

output::Text decode_inet(Bytes bytes) {
  std::array<std::byte, 16> address{};
  const Bytes given = slice(bytes, 4, address.size());
  std::copy(given.begin(), given.end(), address.begin());
  std::array<char, INET6_ADDRSTRLEN> out{};
  const int family = load_integer(bytes, 0, 4, false) == AF_INET6 ? AF_INET6 : AF_INET;
  return text(::inet_ntop(family, address.data(), out.data(), out.size()));
}

Value decode_value(Bytes bytes, const Type& type, const DecodeContext& context, int depth);

output::Sequence decode_array(Bytes bytes, const Type& type, const DecodeContext& context, int depth) {
  output::Sequence out;
  if (type.fields.empty() || type.element().size == 0) return out;
  const std::size_t size = type.element().size;
  // Never more elements than there are bytes for, whatever the type claims.
  const std::size_t count = std::min<std::size_t>(type.count, (bytes.size() + size - 1) / size);
  out.elements.reserve(count);
  for (std::size_t i = 0; i < count; i++) out.elements.push_back(decode_value(slice(bytes, i * size, size), type.element(), context, depth + 1));
  return out;
}

Value integer(const Type& type, std::uint64_t bits) {
  if (const std::string* name = lang::enumerator_name(type, static_cast<std::int64_t>(bits))) return {type.kind, output::Named{*name, bits}};
  if (type.is_signed) return {type.kind, static_cast<std::int64_t>(bits)};
  return {type.kind, bits};
}

Value decode_field(Bytes bytes, const lang::Field& field, const DecodeContext& context, int depth) {
  if (field.bit_size == 0) return decode_value(slice(bytes, field.offset, field.type.size), field.type, context, depth + 1);
  const unsigned bits = std::min<unsigned>(field.bit_size, 64);
  const std::uint64_t unit = load_integer(bytes, field.offset, field.type.size, false);
  const std::uint64_t shifted = field.bit_offset < 64 ? unit >> field.bit_offset : 0;
  const std::uint64_t top_aligned = shifted << (64 - bits);
  if (field.type.is(TypeKind::Bool)) return {TypeKind::Bool, top_aligned != 0};
  if (field.type.is_signed) return integer(field.type, static_cast<std::uint64_t>(static_cast<std::int64_t>(top_aligned) >> (64 - bits)));
  return integer(field.type, top_aligned >> (64 - bits));
}

output::Sequence decode_tuple(Bytes bytes, const Type& type, const DecodeContext& context, int depth) {
  output::Sequence out;
  out.elements.reserve(type.fields.size());
  for (const lang::Field& field : type.fields) out.elements.push_back(decode_field(bytes, field, context, depth));
  return out;
}

output::Fields decode_members(Bytes bytes, const Type& type, const DecodeContext& context, int depth) {
  output::Fields out;
  out.members.reserve(type.fields.size());
  for (const lang::Field& field : type.fields) out.members.emplace_back(field.name, decode_field(bytes, field, context, depth));
  return out;
}

Value decode_value(Bytes bytes, const Type& type, const DecodeContext& context, int depth) {
  const TypeKind kind = type.kind;
  if (depth > kMaxDepth) return {};
  switch (kind) {
    case TypeKind::None:
    case TypeKind::Void: return {kind, {}};
    case TypeKind::Bool: return {kind, load_integer(bytes, 0, type.size, false) != 0};
    case TypeKind::Integer: return integer(type, load_integer(bytes, 0, type.size, type.is_signed));
    case TypeKind::Pointer: return {kind, output::Pointer{load_integer(bytes, 0, 8, false)}};
    case TypeKind::String: return {kind, decode_string(bytes, type)};
    case TypeKind::Buffer: return {kind, decode_buffer(bytes, type)};
    case TypeKind::Array: return {kind, decode_array(bytes, type, context, depth)};
    case TypeKind::Tuple: return {kind, decode_tuple(bytes, type, context, depth)};
    case TypeKind::Struct:
    case TypeKind::Record: return {kind, decode_members(bytes, type, context, depth)};
    case TypeKind::Timestamp: return {kind, decode_timestamp(bytes, type, context)};
    case TypeKind::KernelStack:
    case TypeKind::UserStack: return {kind, decode_stack(bytes, type, context)};
    case TypeKind::KernelSymbol: return {kind, decode_symbol(bytes, false, context)};
    case TypeKind::UserSymbol: return {kind, decode_symbol(bytes, true, context)};
    case TypeKind::ProbeName: {
      const std::uint64_t id = load_integer(bytes, 0, 8, false);
      return {kind, text(context.probe_name ? context.probe_name(id) : std::to_string(id))};
    }
    case TypeKind::Username: return {kind, text(user_name(static_cast<std::uint32_t>(load_integer(bytes, 0, 4, false))))};
    case TypeKind::MacAddress: return {kind, decode_mac_address(bytes)};
    case TypeKind::Inet: return {kind, decode_inet(bytes)};
    case TypeKind::CgroupPath: {
      const std::uint64_t id = load_integer(bytes, 0, 8, false);
      return {kind, text(context.cgroup_path ? context.cgroup_path(id, type.name) : std::to_string(id))};
    }
    case TypeKind::Count:
    case TypeKind::Sum:
    case TypeKind::Min:
    case TypeKind::Max:
    case TypeKind::Avg:
    case TypeKind::Stats:
    case TypeKind::Histogram:
    case TypeKind::LinearHistogram:
    case TypeKind::TimeSeries: {
      std::vector<std::uint64_t> words(bytes.size() / 8);
      if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * 8);
      return aggregate_value(type, words, 1, context.clocks);
    }
  }
  TRC_UNREACHABLE("type kind");
}

Value number(const Type& type, bool is_signed, std::uint64_t bits, std::uint64_t divisor) {
  if (!is_signed) return {type.kind, bits / divisor};
  // A divisor beyond INT64_MAX is larger than any magnitude but that of INT64_MIN.
  if (divisor > static_cast<std::uint64_t>(INT64_MAX)) return {type.kind, std::int64_t{0}};
  return {type.kind, static_cast<std::int64_t>(bits) / static_cast<std::int64_t>(divisor)};
}

}  // namespace

std::uint64_t load_integer(Bytes bytes, std::size_t offset, std::size_t size, bool is_signed) {
  size = std::min<std::size_t>(size, 8);
  const Bytes at = slice(bytes, offset, size);
  std::uint64_t value = 0;
  if (!at.empty()) std::memcpy(&value, at.data(), at.size());
  if (!is_signed || size == 0) return value;
  const auto drop = static_cast<unsigned>(64 - 8 * size);
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << drop) >> drop);
}

Value aggregate_value(const Type& type, std::span<const std::uint64_t> words, std::uint64_t divisor, const ClockOffsets& clocks) {
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : 0; };
  divisor = std::max<std::uint64_t>(divisor, 1);
  switch (type.kind) {
    case TypeKind::Count: return number(type, false, word(0), divisor);
    case TypeKind::Sum:
    case TypeKind::Min:
    case TypeKind::Max: return number(type, type.is_signed, word(0), divisor);
    case TypeKind::Avg: return number(type, type.is_signed, lang::mean(type.is_signed, word(0), word(1)), divisor);
    case TypeKind::Stats: {
      const Value mean = number(type, type.is_signed, lang::mean(type.is_signed, word(0), word(1)), divisor);
      const auto* negative = std::get_if<std::int64_t>(&mean.data);
      const std::int64_t bits = negative != nullptr ? *negative : static_cast<std::int64_t>(std::get<std::uint64_t>(mean.data));
      return {type.kind, output::StatsValue{word(1), bits, static_cast<std::int64_t>(word(0)), type.is_signed}};
    }
    case TypeKind::Histogram: {
      auto histogram = output::make_histogram(type, words);
      histogram->divisor = divisor;
      return {type.kind, std::move(histogram)};
    }
    case TypeKind::LinearHistogram: return {type.kind, output::make_histogram(type, words)};
    case TypeKind::TimeSeries: return {type.kind, output::make_time_series(type, words, clocks.to_realtime[ClockOffsets::kTai])};
    case TypeKind::None:
    case TypeKind::Void:
    case TypeKind::Bool:
    case TypeKind::Integer:
    case TypeKind::Pointer:
    case TypeKind::String:
    case TypeKind::Buffer:
    case TypeKind::Array:
    case TypeKind::Struct:
    case TypeKind::Tuple:
    case TypeKind::Record:
    case TypeKind::Timestamp:
    case TypeKind::KernelStack:
    case TypeKind::UserStack:
    case TypeKind::KernelSymbol:
    case TypeKind::UserSymbol:
    case TypeKind::ProbeName:
    case TypeKind::Username:
    case TypeKind::MacAddress:
    case TypeKind::Inet:
    case TypeKind::CgroupPath: break;
  }
  TRC_UNREACHABLE("not an aggregate");
}

ClockOffsets ClockOffsets::measure() {
  const auto read = [](clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  };
  ClockOffsets offsets;
  constexpr clockid_t kClocks[] = {CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_TAI};
  for (std::size_t i = 0; i < std::size(kClocks); i++) {
    // The real time of the middle of the two readings, so that being interrupted in between matters less.
    const std::int64_t before = read(kClocks[i]), real = read(CLOCK_REALTIME), after = read(kClocks[i]);
    offsets.to_realtime[i] = real - (before + (after - before) / 2);
  }
  constexpr std::int64_t kSecond = 1'000'000'000;   // TAI is ahead by whole ones
  offsets.to_realtime[kTai] = (offsets.to_realtime[kTai] - kSecond / 2) / kSecond * kSecond;
  return offsets;
}

Value decode(Bytes bytes, const Type& type, const DecodeContext& context) { return decode_value(bytes, type, context, 0); }

std::vector<Value> decode_fields(Bytes record, const lang::EventSchema& schema, const DecodeContext& context) {
  std::vector<Value> values;
  values.reserve(schema.fields.size());
  for (const lang::EventField& field : schema.fields) {
    values.push_back(decode(slice(record, field.offset, field.type.size), field.type, context));
  }
  return values;
}

}  // namespace trc::runtime
