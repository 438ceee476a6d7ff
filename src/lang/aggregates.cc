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

struct SeriesBucket { std::uint64_t epoch, value, more; };

SeriesBucket series_bucket(std::span<const std::byte> state, std::size_t i) {
  const std::size_t at = i * kSeriesWords;
  return {word_at(state, at), word_at(state, at + 1), word_at(state, at + 2)};
}

/// Two CPUs' parts of one bucket of one interval.
void add_part(const Type& type, SeriesBucket& into, const SeriesBucket& part) {
  switch (static_cast<SeriesValue>(type.low)) {
    case SeriesValue::Last:
      if (part.more >= into.more) into = part;
      return;
    case SeriesValue::Average:
    case SeriesValue::Sum:
      into.value += part.value;
      into.more += part.more;
      return;
    case SeriesValue::Smallest:
    case SeriesValue::Largest:
      into.value = std::max(into.value, part.value);
      into.more |= part.more;
      return;
  }
}

Words merge_series(const Type& type, const std::vector<std::span<const std::byte>>& per_cpu) {
  Words words;
  words.reserve(std::size_t{kSeriesWords} * type.count);
  const auto what = static_cast<SeriesValue>(type.low);
  const bool is_rank = what == SeriesValue::Smallest || what == SeriesValue::Largest;
  for (std::size_t i = 0; i < type.count; ++i) {
    SeriesBucket whole{};
    for (auto state : per_cpu) {
      const SeriesBucket part = series_bucket(state, i);
      if (part.epoch > whole.epoch) whole = part;
      else if (part.epoch != 0 && part.epoch == whole.epoch) add_part(type, whole, part);
    }
    if (is_rank && whole.epoch != 0) whole.value = value_of_rank(type, whole.value);
    words.insert(words.end(), {whole.epoch, whole.value, whole.more});
  }
  return words;
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
    case TypeKind::TimeSeries: return 8 * kSeriesWords * type.count;
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
  if (type.is(TypeKind::TimeSeries)) return merge_series(type, per_cpu);
  return add_up(aggregate_size(type) / 8, per_cpu);
}

std::vector<SeriesPoint> series_points(const Type& type, std::span<const std::uint64_t> merged) {
  std::vector<SeriesPoint> points;
  std::uint64_t latest = 0;
  for (std::size_t at = 0; at + kSeriesWords <= merged.size(); at += kSeriesWords) latest = std::max(latest, merged[at]);
  for (std::size_t at = 0; at + kSeriesWords <= merged.size(); at += kSeriesWords) {
    const std::uint64_t epoch = merged[at], value = merged[at + 1], count = merged[at + 2];
    if (epoch == 0 || latest - epoch >= type.count) continue;   // of a round before
    if (static_cast<SeriesValue>(type.low) != SeriesValue::Average) points.push_back({epoch, value});
    else points.push_back({epoch, mean(type.is_signed, value, count)});
  }
  std::sort(points.begin(), points.end(), [](const SeriesPoint& a, const SeriesPoint& b) { return a.epoch < b.epoch; });
  return points;
}

std::uint64_t mean(bool is_signed, std::uint64_t total, std::uint64_t count) {
  if (count == 0) return 0;
  if (!is_signed || count > static_cast<std::uint64_t>(INT64_MAX)) return total / count;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(total) / static_cast<std::int64_t>(count));
}

}  // namespace trc::lang
