#include "lang/aggregates.h"

#include <gtest/gtest.h>

#include <limits>

namespace trc::lang {
namespace {

using Words = std::vector<std::uint64_t>;

std::span<const std::byte> bytes(const Words& words) { return std::as_bytes(std::span(words)); }

/// output.md §4.1: bucket b covers [start(b-1), start(b)).
std::uint64_t start(std::uint32_t i, std::uint32_t k) {
  const std::uint32_t power = (i >> k) - 1;
  return (std::uint64_t{1} << power) * ((1u << k) + (i & ((1u << k) - 1)));
}

TEST(Histogram, BucketsCoverTheirRanges) {
  for (std::uint32_t k = 0; k <= 5; ++k) {
    EXPECT_EQ(bucket_of(-1, k), 0u);
    EXPECT_EQ(bucket_of(0, k), 1u);
    for (std::uint32_t b = (2u << k) + 1; b < histogram_buckets(k); ++b) {
      const auto first = static_cast<std::int64_t>(start(b - 1, k));
      EXPECT_EQ(bucket_of(first, k), b) << "k=" << k;
      EXPECT_EQ(bucket_of(first - 1, k), b - 1) << "k=" << k;
    }
    EXPECT_EQ(bucket_of(std::numeric_limits<std::int64_t>::max(), k), histogram_buckets(k) - 1);
  }
}

TEST(LinearHistogram, LastBucketMayBeShort) { EXPECT_EQ(linear_buckets(make_linear_histogram(0, 10, 3)), 4u); }

TEST(Merge, AddsCounts) {
  const Words a{3}, b{4};
  EXPECT_EQ(merge(make_aggregate(TypeKind::Count, false), {bytes(a), bytes(b)}), Words{7});
}

TEST(Rank, LargerIsBetterAndZeroIsWorst) {
  for (const TypeKind kind : {TypeKind::Min, TypeKind::Max}) {
    for (const bool is_signed : {false, true}) {
      const Type type = make_aggregate(kind, is_signed);
      const auto lowest = is_signed ? static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::min()) : 0;
      const auto highest = is_signed ? static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) : ~std::uint64_t{0};
      EXPECT_EQ(rank_of(type, kind == TypeKind::Max ? lowest : highest), 0u);
      EXPECT_EQ(rank_of(type, kind == TypeKind::Max ? highest : lowest), ~std::uint64_t{0});
      EXPECT_EQ(value_of_rank(type, rank_of(type, 12345)), 12345u);
    }
  }
}

TEST(Merge, MinimumIgnoresCpusThatSawNothing) {
  const std::uint64_t minus_two = static_cast<std::uint64_t>(-2);
  const auto merged = [](const Type& type, std::vector<std::uint64_t> values) {
    std::vector<Words> states{{0, 0}};
    for (const std::uint64_t value : values) states.push_back({rank_of(type, value), 1});
    std::vector<std::span<const std::byte>> copies;
    for (const Words& state : states) copies.push_back(bytes(state));
    return merge(type, copies);
  };
  EXPECT_EQ(merged(make_aggregate(TypeKind::Min, true), {5, minus_two}), (Words{minus_two, 1}));
  EXPECT_EQ(merged(make_aggregate(TypeKind::Min, false), {5, minus_two}), (Words{5, 1}));
  EXPECT_EQ(merged(make_aggregate(TypeKind::Max, true), {minus_two}), (Words{minus_two, 1}));
  EXPECT_EQ(merged(make_aggregate(TypeKind::Max, true), {minus_two, 5}), (Words{5, 1}));
  EXPECT_EQ(merged(make_aggregate(TypeKind::Max, false), {minus_two, 5}), (Words{minus_two, 1}));
  EXPECT_EQ(merged(make_aggregate(TypeKind::Max, true), {}), (Words{0, 0}));
}

TEST(Merge, HistogramsBucketByBucket) {
  const Type type = make_linear_histogram(0, 2, 1);
  const Words a{1, 2, 3, 4}, b{10, 20, 30, 40};
  EXPECT_EQ(merge(type, {bytes(a), bytes(b)}), (Words{11, 22, 33, 44}));
}

/// One CPU's time series of one bucket per epoch.
std::vector<std::byte> series_state(const Type& type, const std::vector<SeriesPoint>& points, std::uint64_t more) {
  std::vector<std::uint64_t> words(std::size_t{type.count} * kSeriesWords);
  for (const SeriesPoint& point : points) {
    const std::size_t at = point.epoch % type.count * kSeriesWords;
    words[at] = point.epoch, words[at + 1] = point.bits, words[at + 2] = more;
  }
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> points_of(const Type& type, const std::vector<std::vector<std::byte>>& cpus) {
  std::vector<std::span<const std::byte>> spans(cpus.begin(), cpus.end());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> points;
  for (const SeriesPoint& point : series_points(type, merge(type, spans))) points.emplace_back(point.epoch, point.bits);
  return points;
}

using Points = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

TEST(TimeSeries, CpusAddUpWhereTheirIntervalsAreTheSame) {
  const Type sum = make_time_series(false, SeriesValue::Sum, 1, 4), mean = make_time_series(false, SeriesValue::Average, 1, 4);
  EXPECT_EQ(points_of(sum, {series_state(sum, {{5, 10}, {6, 1}}, 2), series_state(sum, {{5, 20}}, 2)}), (Points{{5, 30}, {6, 1}}));
  EXPECT_EQ(points_of(mean, {series_state(mean, {{5, 10}}, 2), series_state(mean, {{5, 20}}, 2)}), (Points{{5, 7}}));
}

TEST(TimeSeries, TheLastValueIsTheLatestOfAllCpus) {
  const Type last = make_time_series(false, SeriesValue::Last, 1, 4);
  EXPECT_EQ(points_of(last, {series_state(last, {{5, 10}}, 900), series_state(last, {{5, 20}}, 800)}), (Points{{5, 10}}));
}

TEST(TimeSeries, RanksAreValuesAgain) {
  const Type least = make_time_series(true, SeriesValue::Smallest, 1, 4);
  const auto rank = [&](std::int64_t value) { return rank_of(least, static_cast<std::uint64_t>(value)); };
  EXPECT_EQ(points_of(least, {series_state(least, {{5, rank(-3)}}, 1), series_state(least, {{5, rank(2)}}, 1)}), (Points{{5, static_cast<std::uint64_t>(-3)}}));
}

TEST(TimeSeries, BucketsOfFormerRoundsDoNotCount) {
  const Type last = make_time_series(false, SeriesValue::Last, 1, 4);
  EXPECT_EQ(points_of(last, {series_state(last, {{9, 1}, {6, 2}, {3, 3}}, 1)}), (Points{{6, 2}, {9, 1}}));
  EXPECT_EQ(points_of(last, {series_state(last, {{5, 1}}, 1), series_state(last, {{9, 2}}, 1)}), (Points{{9, 2}}));
}

}  // namespace
}  // namespace trc::lang
