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

TEST(Merge, MinimumIgnoresCpusThatSawNothing) {
  const Words unset{0, 0}, five{5, 1}, minus{static_cast<std::uint64_t>(-2), 1};
  EXPECT_EQ(merge(make_aggregate(TypeKind::Min, true), {bytes(unset), bytes(five), bytes(minus)}), minus);
  EXPECT_EQ(merge(make_aggregate(TypeKind::Min, false), {bytes(unset), bytes(five), bytes(minus)}), five);
  EXPECT_EQ(merge(make_aggregate(TypeKind::Max, true), {bytes(unset), bytes(minus)}), minus);
  EXPECT_EQ(merge(make_aggregate(TypeKind::Max, true), {bytes(minus), bytes(five)}), five);
  EXPECT_EQ(merge(make_aggregate(TypeKind::Max, true), {bytes(unset)}), unset);
}

TEST(Merge, HistogramsBucketByBucket) {
  const Type type = make_linear_histogram(0, 2, 1);
  const Words a{1, 2, 3, 4}, b{10, 20, 30, 40};
  EXPECT_EQ(merge(type, {bytes(a), bytes(b)}), (Words{11, 22, 33, 44}));
}

}  // namespace
}  // namespace trc::lang
