// Typed programs made by hand are compiled, loaded, run once, and what they left in maps and the ring buffer is compared.
#include <gtest/gtest.h>

#include <cstring>

#include "codegen/kernel.h"
#include "codegen/typed_builder.h"

namespace trc::test {
namespace {

class Load : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_bpf(); !why.empty()) GTEST_SKIP() << why;
  }
};

std::uint32_t event_of(const std::vector<std::byte>& record) {
  std::uint32_t number = 0;
  std::memcpy(&number, record.data(), 4);
  return number;
}
template <class T = std::int64_t>
T field(const std::vector<std::byte>& record, std::size_t offset) {
  T v{};
  if (offset + sizeof v <= record.size()) std::memcpy(&v, record.data() + offset, sizeof v);
  return v;
}
std::string text_at(const std::vector<std::byte>& record, std::size_t offset) { return reinterpret_cast<const char*>(record.data()) + offset; }

TEST_F(Load, ExitSendsItsCode) {
  Builder b;
  const EventId exit = b.event(lang::ActionKind::Exit, {lang::make_uint64()});
  b.add(body(Emit{exit, list(unsigned_number(3))}, Return{}));
  Loaded k(b.program);
  ASSERT_TRUE(k.ok());
  EXPECT_EQ(k.run(), 0u);
  const auto records = k.records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(event_of(records[0]), exit);
  EXPECT_EQ(field(records[0], 8), 3);
}

TEST_F(Load, PrintfCarriesIntegersAndStrings) {
  Builder b;
  const EventId e = b.event(lang::ActionKind::Printf, {lang::make_integer(32, true), lang::make_string(6), lang::make_string(16), lang::make_int64()}, "%d %s %s %d\n");
  b.add(body(Emit{e, list(convert(lang::make_integer(32, true), number(-7)), text("hello"), comm(), number(42))}));
  Loaded k(b.program);
  ASSERT_TRUE(k.ok());
  k.run();
  const auto records = k.records();
  ASSERT_EQ(records.size(), 1u);
  const auto& fields = b.program.events[e].fields;
  EXPECT_EQ(field<std::int32_t>(records[0], fields[0].offset), -7);
  EXPECT_EQ(text_at(records[0], fields[1].offset), "hello");
  EXPECT_FALSE(text_at(records[0], fields[2].offset).empty());
  EXPECT_EQ(field(records[0], fields[3].offset), 42);
}

TEST_F(Load, ScalarAndKeyedIntegerMaps) {
  Builder b;
  const MapId scalar = b.map("@", std::nullopt, lang::make_int64());
  const MapId keyed = b.map("@x", lang::make_uint64(), lang::make_int64());
  b.add(body(MapSet{scalar, nullptr, number(5)}, Evaluate{value(lang::make_int64(), IncrementMap{scalar, nullptr, 1, false})},
             MapSet{keyed, unsigned_number(9), number(11)}, Evaluate{value(lang::make_int64(), IncrementMap{keyed, unsigned_number(9), -1, true})},
             Evaluate{value(lang::make_int64(), IncrementMap{keyed, unsigned_number(10), 2, false})},
             MapAdd{keyed, unsigned_number(10), value(lang::make_int64(), MapGet{scalar, nullptr})}));
  Loaded k(b.program);
  ASSERT_TRUE(k.ok());
  k.run();
  EXPECT_EQ(k.word(scalar), 6u);
  EXPECT_EQ(k.word(scalar, k.image().maps[scalar].presence_offset), 1u);
  const std::uint64_t nine = 9, ten = 10;
  EXPECT_EQ(k.word(keyed, bytes_of(nine)), 10u);
  EXPECT_EQ(k.word(keyed, bytes_of(ten)), 8u);
}

TEST_F(Load, Aggregates) {
  Builder b;
  const MapId count = b.map("@c", std::nullopt, lang::make_aggregate(lang::TypeKind::Count, false));
  const MapId max = b.map("@m", std::nullopt, lang::make_aggregate(lang::TypeKind::Max, true));
  const MapId min = b.map("@n", lang::make_int64(), lang::make_aggregate(lang::TypeKind::Min, true));
  const MapId avg = b.map("@a", lang::make_int64(), lang::make_aggregate(lang::TypeKind::Avg, true));
  const MapId out = b.map("@out", lang::make_int64(), lang::make_int64());
  b.add(body(MapAggregate{count, nullptr, nullptr}, MapAggregate{count, nullptr, nullptr}, MapAggregate{max, nullptr, number(-5)},
             MapAggregate{max, nullptr, number(-9)}, MapAggregate{min, number(1), number(4)}, MapAggregate{min, number(1), number(-4)},
             MapAggregate{avg, number(1), number(-5)}, MapAggregate{avg, number(1), number(-4)},
             MapSet{out, number(1), value(lang::make_int64(), MapGetAggregate{count, nullptr})},
             MapSet{out, number(2), value(lang::make_int64(), MapGetAggregate{max, nullptr})},
             MapSet{out, number(3), value(lang::make_int64(), MapGetAggregate{min, number(1)})},
             MapSet{out, number(4), value(lang::make_int64(), MapGetAggregate{avg, number(1)})}));
  Loaded k(b.program);
  ASSERT_TRUE(k.ok());
  k.run();
  EXPECT_EQ(k.word(count), 2u);
  auto result = [&](std::int64_t key) { return static_cast<std::int64_t>(k.word(out, bytes_of(key))); };
  EXPECT_EQ(result(1), 2);
  EXPECT_EQ(result(2), -5);
  EXPECT_EQ(result(3), -4);
  EXPECT_EQ(result(4), -4);
}

TEST_F(Load, StackLengthNeedsScratch) {
  Builder b;
  const MapId map = b.map("@", std::nullopt, lang::make_aggregate(lang::TypeKind::Max, true));
  b.add(body(MapAggregate{map, nullptr, value(lang::make_int64(), StackLength{true, 127, true})}));
  b.add(body(MapAggregate{map, nullptr, value(lang::make_int64(), StackLength{true, 127, true})}), lang::ProgramKind::UserProbe);
  Loaded k(b.program);
  ASSERT_TRUE(k.ok());
  for (int i = 0; i < 20; ++i) k.run();  // slots are given back
  EXPECT_EQ(k.losses().scratch_busy, 0u);
  EXPECT_GT(k.word(map), 0u);
}

}  // namespace
}  // namespace trc::test
