#include "symbols/timed_ranges.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trc::symbols {
namespace {

using Names = TimedRanges<std::string>;

std::string at(const Names& names, std::uint64_t address, std::uint64_t time = kNow) {
  const Names::Range* range = names.find(address, time);
  return range == nullptr ? "-" : range->value;
}

TEST(TimedRanges, FindsTheRangeOfAnAddress) {
  Names names;
  names.put(0x2000, 0x3000, 0, "b");
  names.put(0x1000, 0x2000, 0, "a");
  names.put(0x5000, 0x6000, 0, "c");
  EXPECT_EQ(at(names, 0xfff), "-");
  EXPECT_EQ(at(names, 0x1000), "a");
  EXPECT_EQ(at(names, 0x1fff), "a");
  EXPECT_EQ(at(names, 0x2000), "b");
  EXPECT_EQ(at(names, 0x3000), "-");
  EXPECT_EQ(at(names, 0x5fff), "c");
  EXPECT_EQ(at(names, ~std::uint64_t{0}), "-");
}

TEST(TimedRanges, WhatIsCoveredIsThereForItsTime) {
  Names names;
  names.put(0x1000, 0x9000, 10, "old");
  names.put(0x3000, 0x5000, 20, "new");
  EXPECT_EQ(at(names, 0x3000, 9), "-");
  EXPECT_EQ(at(names, 0x3000, 10), "old");
  EXPECT_EQ(at(names, 0x3000, 19), "old");
  EXPECT_EQ(at(names, 0x3000, 20), "new");
  EXPECT_EQ(at(names, 0x5000, 20), "old");
  EXPECT_EQ(names.find(0x5000)->origin, 0x1000U);   // the part behind the hole is still counted from the beginning
  EXPECT_EQ(names.find(0x4000, 15)->origin, 0x1000U);
}

TEST(TimedRanges, SeenAgainIsNotNew) {
  Names names;
  for (std::uint64_t time = 10; time < 1000; time++) names.put(0x1000, 0x2000, time, "a");
  EXPECT_EQ(names.size(), 1U);
  EXPECT_EQ(at(names, 0x1000, 10), "a");
  EXPECT_EQ(at(names, 0x1000, 9), "-");
}

TEST(TimedRanges, AReportCorrectsWhatWasFound) {
  Names names;
  names.put(0x1000, 0x2000, 10, "a");
  names.put_found(0x1000, 0x2000, 40, "c");          // the reports of b and c are on their way
  EXPECT_EQ(at(names, 0x1000, 10), "a");
  EXPECT_EQ(at(names, 0x1000, 40), "c");
  names.put(0x1000, 0x2000, 20, "b");
  names.put(0x1000, 0x2000, 30, "c");
  EXPECT_EQ(at(names, 0x1000, 15), "a");
  EXPECT_EQ(at(names, 0x1000, 25), "b");
  EXPECT_EQ(at(names, 0x1000, 35), "c");
}

TEST(TimedRanges, WhatWasFoundAtFirstWasAlwaysThere) {
  Names names;
  names.put_found(0x1000, 0x2000, 40, "a");
  names.put(0x1000, 0x2000, 50, "b");
  EXPECT_EQ(at(names, 0x1000, 1), "a");
  EXPECT_EQ(at(names, 0x1000, 50), "b");
}

std::uint32_t random(std::uint32_t& state, std::uint32_t limit) { return ((state = state * 1664525 + 1013904223) >> 8) % limit; }

/// Ranges at random, in any order of time, against a table of all addresses and times.
TEST(TimedRanges, MatchesASimpleModel) {
  constexpr std::uint32_t kAddresses = 48, kTimes = 60;
  std::uint32_t state = 7;
  for (int run = 0; run < 40; run++) {
    Names names;
    struct Put { std::uint32_t start, end, time; std::string name; };
    std::vector<Put> puts;
    std::vector<std::uint32_t> times(kTimes);
    for (std::uint32_t i = 0; i < kTimes; i++) times[i] = i;
    for (std::uint32_t i = 0; i < kTimes; i++) std::swap(times[i], times[run % 2 != 0 ? random(state, kTimes) : i]);
    for (const std::uint32_t time : times) {
      const std::uint32_t start = random(state, kAddresses), end = start + random(state, 12);
      puts.push_back({start, end, time, std::to_string(puts.size())});
      names.put(start, end, time, puts.back().name);
    }
    for (std::uint32_t address = 0; address < kAddresses; address++) {
      for (std::uint32_t time = 0; time <= kTimes; time++) {
        const Put* expected = nullptr;
        for (const Put& put : puts) {
          if (address >= put.start && address < put.end && put.time <= time && (expected == nullptr || put.time > expected->time)) expected = &put;
        }
        ASSERT_EQ(at(names, address, time), expected == nullptr ? "-" : expected->name) << run << " " << address << " " << time;
      }
    }
  }
}

TEST(TimedRanges, DoesNotGrowWithoutEnd) {
  Names names;
  for (std::uint64_t time = 1; time < 300000; time++) names.put(0x1000, 0x2000, time, time % 2 == 0 ? "a" : "b");
  EXPECT_LT(names.size(), 100000U);
  EXPECT_EQ(at(names, 0x1000, 299998), "a");
  EXPECT_EQ(at(names, 0x1000, 299997), "b");
}

}  // namespace
}  // namespace trc::symbols
