// The aggregates (count, sum, hist, …): how their state lies in a map value, how the copies of the CPUs become one.
// Read by code generation (which updates the state in the kernel) and by the runner (which merges and prints it).
// Layout of the state, all u64/s64 in native byte order:
//   count  { n }                    sum    { total }
//   min    { rank, is_set }         max    { rank, is_set }      rank_of() of the value: the larger rank wins, 0 loses against all
//   avg    { total, count }         stats  { total, count }
//   hist   { bucket[histogram_buckets(bits)] }            bucket numbers as in bucket_of()
//   tseries { bucket[buckets] of { epoch, value, more } }, bucket = epoch modulo buckets; epoch: CLOCK_TAI in intervals, 0: never used.
//          last: { value, when (ns) }   avg: { total, count }   sum: { total, 0 }   min, max: { rank, is_set }
//   lhist  { underflow, bucket[(high-low+step-1)/step], overflow }
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lang/type.h"

namespace trc::lang {

/// Bytes of one CPU's state.
std::uint32_t aggregate_size(const Type& type);

/// hist: number of buckets with `bits` sub-bucket bits for 64-bit values: negative, then 2^(bits+1) single integers, …
std::uint32_t histogram_buckets(std::uint32_t bits);
/// hist: bucket number of a value (output.md §4.1).
std::uint32_t bucket_of(std::int64_t value, std::uint32_t bits);
/// lhist: number of linear buckets between the underflow and the overflow one.
std::uint32_t linear_buckets(const Type& type);

/// total / count, rounded towards zero; 0 of nothing.
std::uint64_t mean(bool is_signed, std::uint64_t total, std::uint64_t count);

inline constexpr std::uint32_t kSeriesWords = 3;   ///< of one bucket

/// The buckets of a merged time series that belong together: at most as many intervals as it has buckets, up to the last one with data.
struct SeriesPoint { std::uint64_t epoch = 0, bits = 0; };   ///< bits: the value, of the sign of the type
std::vector<SeriesPoint> series_points(const Type& type, std::span<const std::uint64_t> merged);

/// min, max: a number that is larger the better a value is. So a state of zeros needs no special case, and replacing the value while it is
/// smaller is one compare-and-swap. Its own inverse.
inline std::uint64_t rank_of(const Type& type, std::uint64_t value) {
  const std::uint64_t ordered = type.is_signed ? value ^ (std::uint64_t{1} << 63) : value;
  const bool smallest = type.is(TypeKind::Min) || (type.is(TypeKind::TimeSeries) && type.low == static_cast<std::int64_t>(SeriesValue::Smallest));
  return smallest ? ~ordered : ordered;
}
inline std::uint64_t value_of_rank(const Type& type, std::uint64_t rank) { return rank_of(type, rank); }

/// The state over all CPUs, as s64/u64 words: same layout as one CPU's state, but min and max are values again, 0 if nothing was seen;
/// of a bucket of a time series the CPUs count that have its latest epoch.
std::vector<std::uint64_t> merge(const Type& type, const std::vector<std::span<const std::byte>>& per_cpu);

}  // namespace trc::lang
