// What generate() says about an object, without a kernel. What the object does is tested in tests/codegen.
#include <gtest/gtest.h>

#include <linux/bpf.h>

#include <algorithm>
#include <set>

#include "codegen/codegen.h"
#include "codegen/typed_builder.h"
#include "image/program_image.h"
#include "lang/aggregates.h"
#include "stdlib/stack_hash.h"

namespace trc::codegen {
namespace {

using namespace trc::test;
using lang::TypeKind;

image::ProgramImage image_of(const typed::TypedProgram& program) {
  auto made = generate(program, {});
  EXPECT_TRUE(made) << (made ? "" : made.error().message());
  return made ? std::move(made->image) : image::ProgramImage{};
}

TEST(Generate, MapsOfTheScriptComeFirstAndAreDescribedInFull) {
  Builder b;
  const MapId scalar = b.map("@", std::nullopt, lang::make_int64());
  const MapId count = b.map("@c", lang::make_int64(), lang::make_aggregate(TypeKind::Count, false), 100);
  const MapId small = b.map("@h", lang::make_int64(), lang::make_histogram(0), 100);
  const MapId large = b.map("@g", lang::make_int64(), lang::make_histogram(3), 100);
  const MapId many = b.map("@m", lang::make_int64(), lang::make_int64(), 1 << 20);
  const MapId lru = b.map("@l", lang::make_int64(), lang::make_int64(), 10);
  b.program.maps[lru].lru = true;
  b.add(body(MapSet{scalar, nullptr, number(1)}));
  const auto image = image_of(b.program);
  ASSERT_EQ(image.maps.size(), 6u);
  EXPECT_EQ(image.maps[scalar].bpf_type, static_cast<unsigned>(BPF_MAP_TYPE_ARRAY));
  EXPECT_EQ(image.maps[scalar].value_size, 16u);
  EXPECT_EQ(image.maps[scalar].presence_offset, 8u);
  EXPECT_EQ(image.maps[scalar].script_name, "@");
  EXPECT_EQ(image.maps[count].bpf_type, static_cast<unsigned>(BPF_MAP_TYPE_PERCPU_HASH));
  EXPECT_TRUE(image.maps[small].per_cpu);
  EXPECT_FALSE(image.maps[large].per_cpu);
  EXPECT_EQ(image.maps[large].value_size, lang::aggregate_size(b.program.maps[large].value));
  EXPECT_EQ(image.maps[large].flags, static_cast<unsigned>(BPF_F_NO_PREALLOC));
  EXPECT_EQ(image.maps[many].flags, static_cast<unsigned>(BPF_F_NO_PREALLOC));
  EXPECT_EQ(image.maps[lru].bpf_type, static_cast<unsigned>(BPF_MAP_TYPE_LRU_HASH));
  EXPECT_EQ(image.maps[lru].flags, 0u);
}

TEST(Generate, TheSameProgramGivesTheSameObject) {
  auto make = [] {
    Builder b;
    const MapId m = b.map("@", comm()->type, lang::make_aggregate(TypeKind::Count, false));
    const EventId e = b.event(lang::ActionKind::Printf, {lang::make_string(16), lang::make_int64()}, "%s %d\n");
    b.add(body(MapAggregate{m, comm(), nullptr}, Emit{e, list(comm(), number(4))}));
    return image_of(b.program);
  };
  EXPECT_EQ(image::save(make()), image::save(make()));
}

TEST(Generate, AnImageSurvivesTheDisk) {
  Builder b;
  const EventId e = b.event(lang::ActionKind::Exit, {lang::make_uint64()});
  b.add(body(Emit{e, list(binary(BinaryOp::DivideUnsigned, unsigned_number(1), value(lang::make_uint64(), Runtime{RuntimeConstant::ChildPid}), lang::make_uint64()))}));
  auto image = image_of(b.program);
  image.sources.push_back({"test.trc", std::string(b.program.files[0]->text())});
  auto loaded = image::load(image::save(image));
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->object, image.object);
}

TEST(Generate, ErrorsAtRunTimeAreEventsOfTheImage) {
  Builder b;
  const MapId m = b.map("@", lang::make_int64(), lang::make_int64());
  b.add(body(MapSet{m, number(1), binary(BinaryOp::DivideSigned, number(8), value(lang::make_int64(), MapGet{m, number(2)}))}));
  const auto image = image_of(b.program);
  ASSERT_EQ(image.events.size(), 2u);
  EXPECT_EQ(image.events[0].action, lang::ActionKind::RuntimeError);
  EXPECT_EQ(image.events[0].text, "Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result.");
  EXPECT_EQ(image.events[1].action, lang::ActionKind::HelperError);
  EXPECT_EQ(image.events[1].text, "map_update_elem");
  ASSERT_EQ(image.events[1].fields.size(), 1u);
  EXPECT_EQ(image.events[1].size, 16u);
}

TEST(Generate, ABlockWithMoreMapsThanTheKernelAllowsIsRefused) {
  const auto generated = [](int maps) {
    Builder b;
    Statements statements;
    for (int i = 0; i < maps; ++i) {
      const MapId m = b.map("@m" + std::to_string(i), std::nullopt, lang::make_int64());
      statements.push_back(statement(MapSet{m, nullptr, number(1)}));
    }
    b.add(std::move(statements));
    return generate(b.program, {});
  };
  EXPECT_TRUE(generated(64));
  const auto refused = generated(65);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("65 maps"), std::string::npos) << refused.error().message();
}

TEST(Generate, ConstantDivisorsNeedNoCheck) {
  Builder b;
  const MapId m = b.map("@", std::nullopt, lang::make_int64());
  b.add(body(MapSet{m, nullptr, binary(BinaryOp::DivideSigned, value(lang::make_int64(), MapGet{m, nullptr}), number(10))}));
  EXPECT_TRUE(image_of(b.program).events.empty());
}

TEST(Generate, OnlyWhatIsUsedIsThere) {
  Builder b;
  const EventId e = b.event(lang::ActionKind::Exit, {lang::make_uint64()});
  b.add(body(Emit{e, list(unsigned_number(0))}));
  const auto image = image_of(b.program);
  std::set<std::string> names;
  for (const auto& map : image.maps) names.insert(map.name);
  EXPECT_EQ(names, (std::set<std::string>{"trc_ring", "trc_loss"}));
  EXPECT_EQ(image.helpers, (std::vector<std::uint32_t>{BPF_FUNC_map_lookup_elem, BPF_FUNC_ringbuf_reserve, BPF_FUNC_ringbuf_submit}));
  EXPECT_TRUE(image.constants.empty());
  EXPECT_EQ(image.frozen_offset, image::kNoOffset);
}

TEST(Generate, ProgramsOtherThanBeginAndEndCanBeFrozen) {
  Builder b;
  const MapId m = b.map("@", std::nullopt, lang::make_aggregate(TypeKind::Count, false));
  b.add(body(MapAggregate{m, nullptr, nullptr}), lang::ProgramKind::UserProbe);
  EXPECT_EQ(image_of(b.program).frozen_offset, 0u);
}

TEST(Generate, LargeVariablesLieInASlotOfTheirSize) {
  Builder b;
  const lang::Type huge = lang::make_string(20000);
  b.add(body(ZeroSlot{0}, ZeroSlot{1}), lang::ProgramKind::TestRun, {huge, huge});
  const auto image = image_of(b.program);
  const auto slots = std::find_if(image.maps.begin(), image.maps.end(), [](const auto& map) { return map.role == image::MapRole::Slots; });
  ASSERT_NE(slots, image.maps.end());
  EXPECT_GE(slots->value_size, 40000u);
}

TEST(StackHash, DiffersByFrameOrderAndLength) {
  std::set<std::pair<unsigned long long, unsigned long long>> seen;
  std::set<unsigned long long> lows;
  std::size_t made = 0;
  auto add = [&](std::vector<unsigned long long> frames) {
    unsigned long long low = 0, high = 0, a = 0, b = 0;
    trc_hash_begin(&a, &b);
    for (const unsigned long long frame : frames) trc_hash_add(&a, &b, frame);
    trc_hash_end(a, b, &low, &high);
    seen.emplace(low, high);
    lows.insert(low);
    ++made;
  };
  for (unsigned long long a = 0; a < 200; ++a) {   // neighbours, as addresses in one function are
    for (unsigned long long c = 0; c < 200; ++c) add({0x7f0000001000 + a, 0x7f0000002000 + 8 * c});
  }
  for (std::size_t n = 1; n < 1000; ++n) add(std::vector<unsigned long long>(n, 0x401000));
  add({1, 2, 3});
  add({3, 2, 1});
  EXPECT_EQ(seen.size(), made);
  EXPECT_EQ(lows.size(), made);   // each half is good by itself
}

}  // namespace
}  // namespace trc::codegen
