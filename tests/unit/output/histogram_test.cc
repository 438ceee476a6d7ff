#include "output/histogram.h"

#include <gtest/gtest.h>

#include <random>

#include "lang/aggregates.h"

namespace trc::output {
namespace {

using lang::make_histogram;
using lang::make_linear_histogram;

std::shared_ptr<Histogram> of_values(std::uint32_t bits, const std::vector<std::int64_t>& values) {
  std::vector<std::uint64_t> words(lang::histogram_buckets(bits));
  for (const std::int64_t value : values) words.at(lang::bucket_of(value, bits))++;
  return output::make_histogram(make_histogram(bits), words);
}

std::string rows(const Histogram& histogram) {
  std::string out;
  append_rows(out, histogram);
  return out;
}

std::vector<std::string> labels(const Histogram& histogram) {
  std::vector<std::string> out;
  for (const auto& bucket : histogram.buckets) out.push_back(bucket.label);
  return out;
}

TEST(Histogram, Rows) {
  EXPECT_EQ(rows(*of_values(0, {0, 1, 5, -3})),
            "(..., 0)               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
            "[0]                    1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
            "[1]                    1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
            "[2, 4)                 0 |                                                    |\n"
            "[4, 8)                 1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n");
}

TEST(Histogram, LinearRows) {
  // -1, 5, 7, 100 in lhist(x, 0, 20, 5)
  const auto type = make_linear_histogram(0, 20, 5);
  const std::vector<std::uint64_t> words = {1, 0, 2, 0, 0, 1};
  EXPECT_EQ(rows(*output::make_histogram(type, words)),
            "(..., 0)               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |\n"
            "[0, 5)                 0 |                                                    |\n"
            "[5, 10)                2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
            "[10, 15)               0 |                                                    |\n"
            "[15, 20)               0 |                                                    |\n"
            "[20, ...)              1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |\n");
}

TEST(Histogram, SuffixGoesByTheWidthOfTheBucket) {
  EXPECT_EQ(labels(*of_values(0, {512, 1024})), (std::vector<std::string>{"[512, 1K)", "[1K, 2K)"}));
  EXPECT_EQ(labels(*of_values(0, {1 << 20})), (std::vector<std::string>{"[1M, 2M)"}));
  EXPECT_EQ(labels(*of_values(1, {768, 1024})), (std::vector<std::string>{"[768, 1024)", "[1024, 1536)"}));
  EXPECT_EQ(labels(*of_values(1, {1024 * 1024, 1536 * 1024})), (std::vector<std::string>{"[1024K, 1536K)", "[1536K, 2M)"}));
  EXPECT_EQ(labels(*of_values(5, {1472})), (std::vector<std::string>{"[1472, 1504)"}));
  EXPECT_EQ(labels(*of_values(5, {1024 * 1024})), (std::vector<std::string>{"[1024K, 1056K)"}));
  EXPECT_EQ(labels(*of_values(0, {INT64_MAX})), (std::vector<std::string>{"[4E, 8E)"}));
}

TEST(Histogram, SmallValuesHaveTheirOwnBuckets) {
  EXPECT_EQ(labels(*of_values(1, {2, 3, 4})), (std::vector<std::string>{"[2]", "[3]", "[4, 6)"}));
  EXPECT_EQ(labels(*of_values(0, {1, 2})), (std::vector<std::string>{"[1]", "[2, 4)"}));
}

TEST(Histogram, EveryValueLiesWithinTheBoundsOfItsBucket) {
  std::mt19937_64 random(1);
  for (std::uint32_t bits = 0; bits <= 5; bits++) {
    for (int i = 0; i < 2000; i++) {
      const auto value = static_cast<std::int64_t>(random() >> (random() % 64));
      const auto histogram = of_values(bits, {value});
      ASSERT_EQ(histogram->buckets.size(), 1U);
      const auto& bucket = histogram->buckets.front();
      if (bucket.min) EXPECT_LE(*bucket.min, value) << bits;
      else EXPECT_LT(value, 0);
      ASSERT_TRUE(bucket.max.has_value());
      EXPECT_GE(*bucket.max, value) << bits;
    }
  }
}

TEST(Histogram, NeighboursMeet) {
  for (std::uint32_t bits = 0; bits <= 5; bits++) {
    const std::vector<std::uint64_t> ones(lang::histogram_buckets(bits), 1);
    const auto histogram = output::make_histogram(make_histogram(bits), ones);
    ASSERT_EQ(histogram->buckets.size(), ones.size());
    for (std::size_t i = 1; i < ones.size(); i++) EXPECT_EQ(*histogram->buckets[i - 1].max + 1, *histogram->buckets[i].min);
    EXPECT_EQ(histogram->buckets.back().max, INT64_MAX);
  }
}

TEST(Histogram, LinearSuffixes) {
  const std::vector<std::uint64_t> ones(7, 1);
  EXPECT_EQ(labels(*output::make_histogram(make_linear_histogram(0, 5 * 2048, 2048), ones)),
            (std::vector<std::string>{"(..., 0)", "[0, 2K)", "[2K, 4K)", "[4K, 6K)", "[6K, 8K)", "[8K, 10K)", "[10K, ...)"}));
  EXPECT_EQ(labels(*output::make_histogram(make_linear_histogram(0, 5 << 20, 1 << 20), ones)).at(2), "[1M, 2M)");
  EXPECT_EQ(labels(*output::make_histogram(make_linear_histogram(0, 5000, 1000), ones)).at(2), "[1000, 2000)");
  EXPECT_EQ(labels(*output::make_histogram(make_linear_histogram(-2, 3, 1), ones)),
            (std::vector<std::string>{"(..., -2)", "[-2]", "[-1]", "[0]", "[1]", "[2]", "[3, ...)"}));
}

TEST(Histogram, LinearRangeThatTheStepDoesNotDivide) {
  const std::vector<std::uint64_t> ones(6, 1);
  const auto histogram = output::make_histogram(make_linear_histogram(0, 10, 3), ones);
  EXPECT_EQ(labels(*histogram), (std::vector<std::string>{"(..., 0)", "[0, 3)", "[3, 6)", "[6, 9)", "[9, 10)", "[10, ...)"}));
  EXPECT_EQ(histogram->buckets[4].max, 9);
  EXPECT_EQ(histogram->buckets[5].min, 10);
}

TEST(Histogram, OnlyFromTheFirstToTheLastNonEmptyBucket) {
  EXPECT_EQ(labels(*of_values(0, {4, 16})), (std::vector<std::string>{"[4, 8)", "[8, 16)", "[16, 32)"}));
  EXPECT_TRUE(of_values(0, {})->buckets.empty());
  EXPECT_EQ(rows(*of_values(0, {})), "");
}

TEST(Histogram, ADivisorChangesNumbersButNotBars) {
  auto histogram = of_values(0, {1, 1, 1, 1, 2, 2});
  histogram->divisor = 2;
  EXPECT_EQ(rows(*histogram),
            "[1]                    2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
            "[2, 4)                 1 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |\n");
}

TEST(Histogram, LongLabelsAndCountsPushTheRestRight) {
  const auto type = make_linear_histogram(0, 2'000'000'000, 1'000'000'000);
  const std::vector<std::uint64_t> words = {0, 0, 1234567890, 0};
  EXPECT_EQ(rows(*output::make_histogram(type, words)),
            "[1000000000, 2000000000)1234567890 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n");
}

TEST(Histogram, MissingWordsCountAsEmpty) {
  const std::vector<std::uint64_t> few = {0, 0, 3};
  EXPECT_EQ(labels(*output::make_histogram(make_histogram(0), few)), (std::vector<std::string>{"[1]"}));
}

}  // namespace
}  // namespace trc::output
