#include "lang/aggregates.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"

namespace trc::lang {
namespace {

using Words = std::vector<std::uint64_t>;

std::uint64_t word_at(std::span<const std::byte> state, std::size_t index) {
  std::uint64_t word = 0;
  if ((index + 1) * sizeof word <= state.size()) std::memcpy(&word, state.data() + index * sizeof word, sizeof word);
  return word;
}

Words add_up(std::size_t words, const std::vector<std::span<const std::byte>>& per_cpu) {
  Words total(words);
  for (auto state : per_cpu) {
    for (std::size_t i = 0; i < words; ++i) total[i] += word_at(state, i);
  }
  return total;
}

/// CPUs that have seen nothing do not count.
Words extreme(const Type& type, const std::vector<std::span<const std::byte>>& per_cpu) {
  Words best(2);
  for (auto state : per_cpu) {
    if (word_at(state, 1) == 0) continue;
    best = {std::max(best[0], word_at(state, 0)), 1};
  }
  if (best[1] != 0) best[0] = value_of_rank(type, best[0]);
  return best;
}

}  // namespace

std::uint32_t aggregate_size(const Type& type) {
  switch (type.kind) {
    case TypeKind::Count:
    case TypeKind::Sum: return 8;
    case TypeKind::Min:
    case TypeKind::Max:
    case TypeKind::Avg:
    case TypeKind::Stats: return 16;
    case TypeKind::Histogram: return 8 * histogram_buckets(type.count);
    case TypeKind::LinearHistogram: return 8 * (linear_buckets(type) + 2);
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
    case TypeKind::Username: break;
  }
  TRC_UNREACHABLE("not an aggregate");
}

std::uint32_t histogram_buckets(std::uint32_t bits) { return ((64 - bits) << bits) + 1; }

std::uint32_t bucket_of(std::int64_t value, std::uint32_t bits) {
  if (value < 0) return 0;
  const auto v = static_cast<std::uint64_t>(value);
  const std::uint64_t per_power = std::uint64_t{1} << bits;
  if (v < 2 * per_power) return static_cast<std::uint32_t>(v + 1);
  const auto power = static_cast<std::uint32_t>(std::bit_width(v)) - 1 - bits;
  return static_cast<std::uint32_t>((std::uint64_t{power + 1} << bits) + ((v >> power) - per_power) + 1);
}

std::uint32_t linear_buckets(const Type& type) { return static_cast<std::uint32_t>((type.high - type.low + type.step - 1) / type.step); }

Words merge(const Type& type, const std::vector<std::span<const std::byte>>& per_cpu) {
  if (type.is(TypeKind::Min) || type.is(TypeKind::Max)) return extreme(type, per_cpu);
  return add_up(aggregate_size(type) / 8, per_cpu);
}

}  // namespace trc::lang
