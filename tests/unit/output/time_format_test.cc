#include "output/time_format.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace trc::output {
namespace {

class TimeFormat : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
};

constexpr std::int64_t kMoment = 1'700'000'000'123'456'789;  // 2023-11-14 22:13:20 UTC

TEST_F(TimeFormat, UsesStrftimeAndOurFractions) {
  EXPECT_EQ(format_time("%Y-%m-%d %H:%M:%S", kMoment), "2023-11-14 22:13:20");
  EXPECT_EQ(format_time("%H:%M:%S.%f", kMoment), "22:13:20.123456");
  EXPECT_EQ(format_time("%k|%l", kMoment), "123456789|123");
  EXPECT_EQ(format_time("%H:%M:%S\n", kMoment), "22:13:20\n");
  EXPECT_EQ(format_time("%%f 100%%", kMoment), "%f 100%");
}

TEST_F(TimeFormat, PadsFractions) { EXPECT_EQ(format_time("%f %k %l", 1'000'001'002), "000001 000001002 000"); }

TEST_F(TimeFormat, BeforeTheEpoch) { EXPECT_EQ(format_time("%Y %S.%f", -1'000), "1969 59.999999"); }

TEST_F(TimeFormat, NothingBecomesAQuestionMark) {
  EXPECT_EQ(format_time("", kMoment), "(?)");
}

TEST_F(TimeFormat, LongTexts) {
  const std::string text(3000, 'x');
  EXPECT_EQ(format_time(text + "%Y", kMoment), text + "2023");
}

}  // namespace
}  // namespace trc::output
