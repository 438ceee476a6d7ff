#include "runtime/stack_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "stdlib/unwind_abi.h"

namespace trc::runtime {
namespace {

using ::testing::ElementsAreArray;

std::vector<std::byte> record(std::uint64_t low, const std::vector<std::uint64_t>& frames, std::uint32_t claimed_count) {
  trc_stack_record head{};
  head.name_low = low;
  head.name_high = 2;
  head.time_ns = 77;
  head.tgid = 42;
  head.end = TRC_STACK_NoRule;
  head.count = claimed_count;
  std::vector<std::byte> bytes(sizeof head + frames.size() * 8);
  std::memcpy(bytes.data(), &head, sizeof head);
  if (!frames.empty()) std::memcpy(bytes.data() + sizeof head, frames.data(), frames.size() * 8);
  return bytes;
}
std::vector<std::byte> record(std::uint64_t low, const std::vector<std::uint64_t>& frames) {
  return record(low, frames, static_cast<std::uint32_t>(frames.size()));
}

TEST(StackReader, KeepsWhatWasSent) {
  StackReader reader;
  const std::vector<std::uint64_t> frames = {0x401000, 0x401001, 0x400fff, 0, ~std::uint64_t{0}, 1, std::uint64_t{1} << 63, 0x7fffffffffff};
  reader.add(record(1, frames));
  const auto stack = reader.find({1, 2});
  ASSERT_TRUE(stack);
  EXPECT_THAT(stack->frames, ElementsAreArray(frames));
  EXPECT_EQ(stack->end, TRC_STACK_NoRule);
  EXPECT_EQ(stack->tgid, 42u);
  EXPECT_EQ(stack->time_ns, 77u);
  EXPECT_FALSE(reader.find({2, 1}));
}

TEST(StackReader, AnyDifference) {
  StackReader reader;
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> frames;
  for (int i = 0; i < 5000; ++i) frames.push_back(random() >> (random() % 64));
  reader.add(record(1, frames));
  EXPECT_THAT(reader.find({1, 2})->frames, ElementsAreArray(frames));
}

TEST(StackReader, TheFirstRecordOfANameStays) {
  StackReader reader;
  reader.add(record(1, {5}));
  reader.add(record(1, {6}));
  EXPECT_THAT(reader.find({1, 2})->frames, ElementsAreArray({5u}));
}

TEST(StackReader, DropsRecordsThatAreTooShort) {
  StackReader reader;
  const auto whole = record(1, {5, 6});
  for (std::size_t size = 0; size < whole.size(); ++size) reader.add(std::span(whole).first(size));
  reader.add(record(1, {5, 6}, 3));
  reader.add(record(1, {5, 6}, 0xffffffff));
  EXPECT_FALSE(reader.find({1, 2}));
}

}  // namespace
}  // namespace trc::runtime
