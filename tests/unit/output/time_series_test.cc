#include "output/time_series.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "lang/aggregates.h"

namespace trc::output {
namespace {

using lang::SeriesValue;

constexpr std::int64_t kMillisecond = 1'000'000;

class Series : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }

  /// The plot of (epoch, value) pairs.
  static std::string plot(const lang::Type& type, const std::vector<std::pair<std::uint64_t, std::int64_t>>& points) {
    std::vector<std::uint64_t> words(std::size_t{type.count} * lang::kSeriesWords);
    for (const auto& [epoch, value] : points) {
      const std::size_t at = epoch % type.count * lang::kSeriesWords;
      words[at] = epoch;
      words[at + 1] = static_cast<std::uint64_t>(value);
      words[at + 2] = 1;
    }
    std::string out;
    append_plot(out, *make_time_series(type, words, 0));
    return out;
  }
};

TEST_F(Series, PlotOfTheSpecification) {
  const lang::Type type = lang::make_time_series(true, SeriesValue::Last, 100 * kMillisecond, 20);
  const std::uint64_t start = (1 * 3600 + 37 * 60 + 12) * 10 + 6;
  EXPECT_EQ(plot(type, {{start, 2}, {start + 1, 4}, {start + 2, 6}, {start + 3, 8}, {start + 4, 9}}),
            "             2                                                   9\n"
            "hh:mm:ss.ms  |___________________________________________________|\n"
            "01:37:12.600 *                                                   | 2\n"
            "01:37:12.700 |             *                                     | 4\n"
            "01:37:12.800 |                            *                      | 6\n"
            "01:37:12.900 |                                           *       | 8\n"
            "01:37:13.000 |                                                   * 9\n"
            "             v___________________________________________________v\n"
            "             2                                                   9\n");
}

TEST_F(Series, GapsAndTheLineOfZero) {
  const lang::Type type = lang::make_time_series(true, SeriesValue::Sum, 1000 * kMillisecond, 20);
  EXPECT_EQ(plot(type, {{60, -26}, {62, 26}}),
            "         -26                                                26\n"
            "hh:mm:ss |___________________________________________________|\n"
            "00:01:00 *                         .                         | -26\n"
            "00:01:01 |                         .                         | -\n"
            "00:01:02 |                         .                         * 26\n"
            "         v___________________________________________________v\n"
            "         -26                                                26\n");
}

TEST_F(Series, OnePointStandsInTheMiddle) {
  const lang::Type type = lang::make_time_series(false, SeriesValue::Last, 1000 * kMillisecond, 20);
  EXPECT_EQ(plot(type, {{60, 7}}),
            "                   6                                                   8\n"
            "hh:mm:ss.ns        |___________________________________________________|\n"
            "00:01:00.000000000 |                         *                         | 7\n"
            "                   v___________________________________________________v\n"
            "                   6                                                   8\n");
}

TEST_F(Series, NothingIsSaidToBeNothing) { EXPECT_EQ(plot(lang::make_time_series(true, SeriesValue::Last, 1000, 4), {}), "<no data>\n"); }

TEST_F(Series, LargestAndSmallestNumbersFit) {
  EXPECT_NE(plot(lang::make_time_series(true, SeriesValue::Last, 1000, 4), {{5, INT64_MIN}}).find("-9223372036854775809"), std::string::npos);
  EXPECT_NE(plot(lang::make_time_series(false, SeriesValue::Last, 1000, 4), {{5, -1}}).find("18446744073709551616"), std::string::npos);
}

}  // namespace
}  // namespace trc::output
