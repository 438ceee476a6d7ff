#include "symbols/go_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stdlib/unwind_abi.h"

namespace trc::symbols {
namespace {

using testing::ElementsAre;


template <class T>
std::string bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A table in the making, of Go 1.20: functions one behind another from 0x401000 on.
struct Table {
  std::uint32_t magic = 0xfffffff1;
  std::uint64_t text = 0x401000;
  std::string names = std::string(1, '\0'), sizes = std::string(1, '\0'), details;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> index;   // place in the code, in `details`
  std::uint32_t end = 0;

  /// `frame_sizes`: pairs of size and length; none: the function says nothing of them.
  Table& function(const std::string& name, std::uint32_t length, const std::vector<std::pair<int, int>>& frame_sizes, std::uint8_t flags = 0) {
    index.emplace_back(end, static_cast<std::uint32_t>(details.size()));
    details += bytes(end) + bytes(static_cast<std::uint32_t>(names.size())) + std::string(8, '\0') +
               bytes(static_cast<std::uint32_t>(frame_sizes.empty() ? 0 : sizes.size())) + std::string(magic == 0xfffffff1 ? 20 : 16, '\0') + '\0' +
               static_cast<char>(flags) + std::string(2, '\0');
    names += name + '\0';
    int last = -1;
    for (const auto& [size, how_long] : frame_sizes) {
      const int change = size - last;
      sizes += static_cast<char>(change < 0 ? -change * 2 - 1 : change * 2);   // all are below 128, a byte each
      sizes += static_cast<char>(how_long);
      last = size;
    }
    sizes += '\0';
    end += length;
    return *this;
  }
  std::string made() const {
    const std::uint64_t head = 8 + 8 * 8, at_names = head, at_sizes = at_names + names.size(), at_index = at_sizes + sizes.size();
    std::string all = bytes(magic) + std::string("\0\0\1\x08", 4);
    for (const std::uint64_t number : {std::uint64_t{index.size()}, std::uint64_t{0}, text, at_names, head, head, at_sizes, at_index}) all += bytes(number);
    all += names + sizes;
    const auto at_details = static_cast<std::uint32_t>(8 * index.size() + 4);
    for (const auto& [place, detail] : index) all += bytes(place) + bytes(at_details + detail);
    return all + bytes(end) + details;
  }
};

constexpr std::uint64_t sp(int size) { return TRC_UW_RULE(TRC_UW_SP, size >= 8 ? TRC_UW_FP_SAVED : TRC_UW_FP_SAME, 0, size >= 8 ? -16 : 0, size + 8); }
constexpr std::uint64_t kEnd = TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0), kOther = TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0);
constexpr std::uint64_t kOtherStack = TRC_UW_RULE(TRC_UW_OTHER_STACK, TRC_UW_FP_SAVED, 0, -16, 16);

std::vector<std::pair<std::uint64_t, std::uint64_t>> rows_of(const GoFrames& frames, std::size_t index) {
  std::vector<FrameRow> rows;
  frames.append_rows(frames.functions().at(index), rows);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> pairs;
  for (const FrameRow& row : rows) pairs.emplace_back(row.address, row.rule);
  return pairs;
}
std::vector<std::pair<std::uint64_t, std::uint64_t>> rows_of(const std::string& table) { return rows_of(*GoFrames::parse(table, 0), 0); }
auto row(std::uint64_t address, std::uint64_t rule) { return testing::Pair(address, rule); }

TEST(GoFrames, SizesOfFramesAreRows) {
  for (const std::uint32_t magic : {0xfffffff0U, 0xfffffff1U}) {
    Table table{.magic = magic};
    table.function("main.one", 0x40, {{0, 4}, {56, 0x30}, {0, 0xc}}).function("main.two", 0x10, {{0, 0x10}});
    const auto frames = GoFrames::parse(table.made(), 0);
    ASSERT_TRUE(frames);
    ASSERT_EQ(frames->functions().size(), 2U);
    EXPECT_THAT(rows_of(*frames, 0), ElementsAre(row(0x401000, sp(0)), row(0x401004, sp(56)), row(0x401034, sp(0))));
    EXPECT_THAT(rows_of(*frames, 1), ElementsAre(row(0x401040, sp(0))));
    EXPECT_EQ(frames->functions()[1].end, 0x401050U);
  }
}

TEST(GoFrames, CodeThatIsLoadedAnywhereBeginsWhereTheFileSays) {
  Table table{.text = 0};
  table.function("main.one", 0x10, {{0, 0x10}});
  EXPECT_EQ(GoFrames::parse(table.made(), 0x2000)->functions()[0].start, 0x2000U);
}

TEST(GoFrames, FunctionsOfTheRuntime) {
  const auto rule = [](const std::string& name, std::uint8_t flags) {
    const auto rows = rows_of(Table().function(name, 0x10, {{0, 0x10}}, flags).made());
    return rows.size() == 1 ? rows[0].second : ~std::uint64_t{0};
  };
  EXPECT_EQ(rule("runtime.goexit", 1), kEnd);            // nothing is above it
  EXPECT_EQ(rule("runtime.mcall", 2), kEnd);
  EXPECT_EQ(rule("runtime.systemstack.abi0", 2), kOtherStack);
  EXPECT_EQ(rule("runtime.sigtramp", 1), sp(0));
  EXPECT_EQ(rule("main.main", 4), sp(0));
}

TEST(GoFrames, WhatHandlersReturnToBeginsOneByteBefore) {
  const auto frames = GoFrames::parse(Table().function("runtime.x", 0x10, {{0, 0x10}}).function("runtime.sigreturn__sigaction.abi0", 0x10, {{0, 0x10}}).made(), 0);
  EXPECT_EQ(frames->functions()[0].end, 0x40100fU);
  EXPECT_THAT(rows_of(*frames, 1), ElementsAre(row(0x40100f, TRC_UW_RULE(TRC_UW_SIGNAL, 0, 0, 0, 0))));
}

TEST(GoFrames, DamagedTables) {
  EXPECT_FALSE(GoFrames::parse("", 0));
  EXPECT_FALSE(GoFrames::parse(Table{.magic = 0xfffffffb}.function("main.one", 0x10, {{0, 0x10}}).made(), 0));   // of Go 1.2
  EXPECT_THAT(rows_of(Table().function("main.one", 0x10, {}).made()), ElementsAre(row(0x401000, TRC_UW_NONE)));
  EXPECT_THAT(rows_of(Table().function("main.one", 0x10, {{0, 4}}).made()), ElementsAre(row(0x401000, sp(0)), row(0x401004, kOther)));
  EXPECT_THAT(rows_of(Table().function("main.one", 0x10, {{0, 0x20}}).made()), ElementsAre(row(0x401000, kOther)));   // longer than the function
  const std::string whole = Table().function("main.one", 0x40, {{0, 4}, {56, 0x3c}}).function("main.two", 0x10, {{0, 0x10}}).made();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto frames = GoFrames::parse(whole.substr(0, size), 0);
    if (!frames) continue;
    EXPECT_LE(frames->functions().size(), 2U);
    for (std::size_t i = 0; i < frames->functions().size(); ++i) EXPECT_FALSE(rows_of(*frames, i).empty());
  }
}

}  // namespace
}  // namespace trc::symbols
