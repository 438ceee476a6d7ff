// Each operation of the typed program, run in the kernel; results land in an integer map.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "codegen/kernel.h"
#include "codegen/typed_builder.h"
#include "lang/aggregates.h"
#include "stdlib/process_tree_abi.h"
#include "stdlib/unwind_abi.h"

namespace trc::test {
namespace {

using lang::TypeKind;

class Operations : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_bpf(); !why.empty()) GTEST_SKIP() << why;
    out_ = b_.map("@out", lang::make_int64(), lang::make_int64(), 256);
  }

  /// Adds `@out[n] = v` and remembers what it must be.
  void expect(ValuePtr v, std::int64_t wanted) {
    statements_.push_back(statement(MapSet{out_, number(static_cast<std::int64_t>(wanted_.size())), std::move(v)}));
    wanted_.push_back(wanted);
  }
  void then(Statement s) { statements_.push_back(std::move(s)); }
  SlotId slot(lang::Type type) {
    slots_.push_back(std::move(type));
    return static_cast<SlotId>(slots_.size() - 1);
  }
  void check(lang::ProgramKind kind = lang::ProgramKind::TestRun) {
    Program& program = b_.add(std::move(statements_), kind, slots_);
    program.context.space = lang::AddressSpace::User;
    kernel_ = std::make_unique<Loaded>(b_.program);
    ASSERT_TRUE(kernel_->ok());
    if (kind != lang::ProgramKind::TestRun) return;
    kernel_->run();
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const auto key = static_cast<std::int64_t>(i);
      EXPECT_EQ(static_cast<std::int64_t>(kernel_->word(out_, bytes_of(key))), wanted_[i]) << "result " << i;
    }
  }

  Builder b_;
  MapId out_ = 0;
  Statements statements_;
  std::vector<lang::Type> slots_;
  std::vector<std::int64_t> wanted_;
  std::unique_ptr<Loaded> kernel_;
};

/// A number that LLVM does not know: what a map holds.
struct Hidden {
  Builder& b;
  MapId map;
  Statements& statements;
  std::int64_t next = 0;
  ValuePtr operator()(std::int64_t n) {
    const std::int64_t key = next++;
    statements.push_back(statement(MapSet{map, number(key), number(n)}));
    return value(lang::make_int64(), MapGet{map, number(key)});
  }
};

TEST_F(Operations, Arithmetic) {
  Hidden h{b_, b_.map("@in", lang::make_int64(), lang::make_int64(), 256), statements_};
  const std::int64_t smallest = INT64_MIN;
  using enum BinaryOp;
  expect(binary(Add, h(INT64_MAX), number(1)), smallest);
  expect(binary(Subtract, h(3), number(5)), -2);
  expect(binary(Multiply, h(-3), h(5)), -15);
  expect(binary(DivideSigned, h(-7), h(2)), -3);
  expect(binary(DivideSigned, h(7), h(-2)), -3);
  expect(binary(DivideSigned, h(-7), h(-2)), 3);
  expect(binary(DivideSigned, h(smallest), h(-1)), smallest);
  expect(binary(DivideSigned, h(smallest), number(2)), smallest / 2);
  expect(binary(ModuloSigned, h(-7), h(2)), -1);
  expect(binary(ModuloSigned, h(7), h(-2)), 1);
  expect(binary(ModuloSigned, h(smallest), h(-1)), 0);
  expect(binary(DivideUnsigned, h(-1), number(16)), 0x0fffffffffffffff);
  expect(binary(ModuloUnsigned, h(-1), number(10)), 5);
  expect(binary(DivideUnsigned, h(7), h(0)), 1);
  expect(binary(ModuloSigned, h(7), h(0)), 1);
  expect(binary(ShiftLeft, h(1), h(65)), 2);
  expect(binary(ShiftRightLogical, h(-1), h(63)), 1);
  expect(binary(ShiftRightArithmetic, h(-8), h(1)), -4);
  expect(binary(LessSigned, h(-1), h(1)), 1);
  expect(binary(LessUnsigned, h(-1), h(1)), 0);
  expect(binary(LessEqualSigned, h(1), h(1)), 1);
  expect(binary(NotEqual, h(1), h(1)), 0);
  expect(value(lang::make_int64(), Unary{UnaryOp::Negate, h(5)}), -5);
  expect(value(lang::make_integer(8, false), Unary{UnaryOp::BitNot, convert(lang::make_integer(8, false), h(5))}), 250);
  expect(value(lang::make_integer(16, false), Unary{UnaryOp::ByteSwap, convert(lang::make_integer(16, false), h(0x1234))}), 0x3412);
  expect(value(lang::make_bool(), Unary{UnaryOp::Not, h(5)}), 0);
  expect(convert(lang::make_integer(8, true), h(200)), -56);
  expect(convert(lang::make_bool(), h(256)), 1);
  expect(value(lang::make_bool(), Logical{true, h(2), h(0)}), 0);
  expect(value(lang::make_bool(), Logical{false, h(0), h(4)}), 1);
  expect(value(lang::make_int64(), Select{h(0), h(1), h(2)}), 2);
  expect(value(lang::make_int64(), Select{h(7), nullptr, h(2)}), 7);
  check();
  const auto records = kernel_->records();
  ASSERT_EQ(records.size(), 2u);  // the two divisions by zero
  std::uint32_t event = 0;
  std::memcpy(&event, records[0].data(), 4);
  EXPECT_EQ(kernel_->image().events.at(event).action, lang::ActionKind::RuntimeError);
  EXPECT_EQ(kernel_->image().events.at(event).text, "Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result.");
}

TEST_F(Operations, VariablesAndControlFlow) {
  const SlotId i = slot(lang::make_int64()), sum = slot(lang::make_int64()), byte = slot(lang::make_integer(8, false));
  then(statement(StoreSlot{i, number(0)}));
  then(statement(ZeroSlot{sum}));
  then(statement(StoreSlot{byte, convert(lang::make_integer(8, false), number(255))}));
  Statements inside;
  inside.push_back(statement(Evaluate{value(lang::make_int64(), IncrementSlot{i, 1, false})}));
  inside.push_back(statement(If{binary(BinaryOp::Equal, load(i), number(3)), body(Continue{}), {}}));
  inside.push_back(statement(If{binary(BinaryOp::Equal, load(i), number(6)), body(Break{}), {}}));
  inside.push_back(statement(StoreSlot{sum, binary(BinaryOp::Add, load(sum), load(i))}));
  then(statement(While{binary(BinaryOp::LessSigned, load(i), number(10)), std::move(inside)}));
  expect(load(sum), 1 + 2 + 4 + 5);
  expect(value(lang::make_integer(8, false), IncrementSlot{byte, 1, true}), 255);
  expect(load(byte, lang::make_integer(8, false)), 0);
  then(statement(If{load(sum), body(StoreSlot{sum, number(1)}), body(StoreSlot{sum, number(2)})}));
  expect(load(sum), 1);
  check();
}

TEST_F(Operations, LoopsThatAreCallbacks) {
  const SlotId i = slot(lang::make_int64()), j = slot(lang::make_int64()), sum = slot(lang::make_int64());
  then(statement(ZeroSlot{sum}));
  Statements inner;
  inner.push_back(statement(If{binary(BinaryOp::Equal, load(j), number(2)), body(Break{}), {}}));
  inner.push_back(statement(StoreSlot{sum, binary(BinaryOp::Add, load(sum), binary(BinaryOp::Multiply, load(i), number(10)))}));
  Statements outer;
  outer.push_back(statement(If{binary(BinaryOp::Equal, load(i), number(-1)), body(Continue{}), {}}));
  outer.push_back(statement(ForRange{j, number(0), number(5), std::move(inner)}));
  then(statement(ForRange{i, number(-3), number(3), std::move(outer)}));
  expect(load(sum), 2 * 10 * (-3 - 2 + 0 + 1 + 2));
  then(statement(ZeroSlot{sum}));
  then(statement(ForRange{i, number(5), number(2), body(StoreSlot{sum, number(99)})}));
  expect(load(sum), 0);
  check();
}

TEST_F(Operations, ReturnFromInsideLoops) {
  const SlotId i = slot(lang::make_int64()), j = slot(lang::make_int64());
  expect(number(1), 1);
  Statements inner;
  inner.push_back(statement(If{binary(BinaryOp::Equal, load(j), number(3)), body(Return{number(7)}), {}}));
  then(statement(ForRange{i, number(0), number(4), body(ForRange{j, number(0), number(5), std::move(inner)})}));
  then(statement(MapSet{out_, number(0), number(666)}));
  check();
  EXPECT_EQ(kernel_->run(), 7u);
}

TEST_F(Operations, TooManyIterationsAreReportedAsThat) {
  const SlotId i = slot(lang::make_int64());
  then(statement(ForRange{i, number(0), number(1 << 24), body(MapSet{out_, number(0), number(666)})}));
  check();
  kernel_->run();
  EXPECT_EQ(kernel_->count(out_), 0u);
  const auto records = kernel_->records();
  ASSERT_EQ(records.size(), 2u);
  std::uint32_t event = 0;
  std::memcpy(&event, records[0].data(), 4);
  EXPECT_THAT(kernel_->image().events.at(event).text, testing::HasSubstr("8,388,608 rounds"));
  EXPECT_EQ(kernel_->losses().map_full, 0u);
}

TEST_F(Operations, ForMapSeesKeysAndValues) {
  const MapId ints = b_.map("@i", lang::make_int64(), lang::make_int64());
  const MapId counts = b_.map("@c", lang::make_int64(), lang::make_aggregate(TypeKind::Sum, true));
  const lang::Type pair = lang::make_tuple({lang::make_int64(), lang::make_int64()});
  const SlotId kv = slot(pair), sum = slot(lang::make_int64());
  for (int n = 1; n <= 4; ++n) {
    then(statement(MapSet{ints, number(n), number(n * n)}));
    then(statement(MapAggregate{counts, number(n), number(n)}));
    then(statement(MapAggregate{counts, number(n), number(-2 * n)}));
  }
  auto field = [&](std::uint32_t f) { return value(lang::make_int64(), Member{load(kv, pair), f}); };
  auto add = [&](ValuePtr v) { return StoreSlot{sum, binary(BinaryOp::Add, load(sum), std::move(v))}; };
  then(statement(ZeroSlot{sum}));
  then(statement(ForMap{kv, ints, body(add(binary(BinaryOp::Multiply, field(0), field(1))))}));
  expect(load(sum), 1 + 8 + 27 + 64);
  then(statement(ZeroSlot{sum}));
  then(statement(ForMap{kv, counts, body(add(field(1)))}));
  expect(load(sum), -10);
  expect(value(lang::make_int64(), MapLength{ints}), 4);
  expect(value(lang::make_bool(), MapHas{ints, number(2)}), 1);
  expect(value(lang::make_bool(), MapDelete{ints, number(2)}), 1);
  expect(value(lang::make_bool(), MapDelete{ints, number(2)}), 0);
  expect(value(lang::make_bool(), MapHas{ints, number(2)}), 0);
  expect(value(lang::make_int64(), MapLength{ints}), 3);
  check();
}

TEST_F(Operations, ScalarMapsKnowWhetherTheyHaveAValue) {
  const MapId m = b_.map("@m", std::nullopt, lang::make_int64());
  const MapId c = b_.map("@c", std::nullopt, lang::make_aggregate(TypeKind::Count, false));
  for (const MapId map : {m, c}) {
    expect(value(lang::make_bool(), MapHas{map, nullptr}), 0);
    then(map == m ? statement(MapSet{m, nullptr, number(0)}) : statement(MapAggregate{c, nullptr, nullptr}));
    expect(value(lang::make_bool(), MapHas{map, nullptr}), 1);
    expect(value(lang::make_bool(), MapDelete{map, nullptr}), 1);
    expect(value(lang::make_bool(), MapHas{map, nullptr}), 0);
  }
  expect(value(lang::make_int64(), MapGetAggregate{c, nullptr}), 0);
  check();
}

TEST_F(Operations, IncrementsGiveOldOrNew) {
  const MapId m = b_.map("@m", std::nullopt, lang::make_int64());
  const MapId small = b_.map("@s", lang::make_int64(), lang::make_integer(8, false));
  expect(value(lang::make_int64(), IncrementMap{m, nullptr, 1, true}), 0);
  expect(value(lang::make_int64(), IncrementMap{m, nullptr, 1, false}), 2);
  expect(value(lang::make_int64(), IncrementMap{m, nullptr, -1, true}), 2);
  expect(value(lang::make_integer(8, false), IncrementMap{small, number(1), -1, false}), 255);
  expect(value(lang::make_integer(8, false), IncrementMap{small, number(1), 1, true}), 255);
  expect(value(lang::make_integer(8, false), MapGet{small, number(1)}), 0);
  check();
}

TEST_F(Operations, Strings) {
  const lang::Type short_type = lang::make_string(8), long_type = lang::make_string(200);
  const SlotId s = slot(short_type), l = slot(long_type);
  then(statement(StoreSlot{s, convert(short_type, text("abc"))}));
  then(statement(StoreSlot{l, convert(long_type, load(s, short_type))}));
  auto same = [&](ValuePtr a, ValuePtr c, std::uint32_t limit = 0, bool negate = false) {
    return value(lang::make_bool(), CompareStrings{std::move(a), std::move(c), negate, limit});
  };
  expect(same(load(s, short_type), text("abc")), 1);
  expect(same(load(s, short_type), text("abcd")), 0);
  expect(same(text("ab"), load(s, short_type)), 0);
  expect(same(text("ab"), load(s, short_type), 2), 1);
  expect(same(load(s, short_type), text("a very long one, longer than the string")), 0);
  expect(same(load(s, short_type), load(l, long_type)), 1);
  expect(same(load(l, long_type), load(s, short_type), 0, true), 0);
  expect(same(load(l, long_type), text("abd"), 2), 1);
  expect(value(lang::make_uint64(), StringLength{load(l, long_type)}), 3);
  expect(same(text("x"), text("x")), 1);
  // Equal strings are equal keys, whatever they were before.
  const MapId keyed = b_.map("@k", long_type, lang::make_int64());
  then(statement(MapSet{keyed, convert(long_type, text("a much longer text that goes away")), number(1)}));
  then(statement(StoreSlot{l, convert(long_type, text("a much longer text that goes away"))}));
  then(statement(StoreSlot{l, convert(long_type, text("key"))}));
  then(statement(MapSet{keyed, load(l, long_type), number(5)}));
  expect(value(lang::make_int64(), MapGet{keyed, convert(long_type, text("key"))}), 5);
  expect(value(lang::make_integer(8, true), Element{load(s, short_type), number(1)}), 'b');
  check();
  EXPECT_EQ(kernel_->losses().scratch_busy, 0u);
}

TEST_F(Operations, StringsFromMemory) {
  // The tracer's own memory, read as a user probe would: the test run happens in this process.
  static char words[] = "hello, world";
  static char edge[] = "12345678rest";
  auto pointer = [](const void* p) {
    return value(lang::make_pointer(lang::make_integer(8, true), lang::AddressSpace::User), Constant{reinterpret_cast<std::uint64_t>(p)});
  };
  const lang::Type type = lang::make_string(64), tight = lang::make_string(8);
  const SlotId s = slot(type), t = slot(tight);
  auto equals = [&](SlotId at, const lang::Type& of, const char* wanted) {
    return value(lang::make_bool(), CompareStrings{load(at, of), text(wanted), false, 0});
  };
  then(statement(StoreSlot{s, value(type, ReadString{pointer(words), nullptr})}));
  expect(equals(s, type, "hello, world"), 1);
  then(statement(StoreSlot{s, value(type, ReadString{pointer(words), number(6)})}));
  expect(equals(s, type, "hello"), 1);
  then(statement(StoreSlot{s, value(type, ReadString{pointer(words), number(0)})}));
  expect(equals(s, type, ""), 1);
  then(statement(StoreSlot{t, value(tight, ReadString{pointer(edge), nullptr})}));
  expect(value(lang::make_uint64(), StringLength{load(t, tight)}), 8);   // cut, and it shows: no NUL
  then(statement(StoreSlot{t, value(tight, ReadString{pointer(edge), number(8)})}));
  expect(value(lang::make_uint64(), StringLength{load(t, tight)}), 7);
  then(statement(StoreSlot{s, value(type, ReadString{pointer(reinterpret_cast<void*>(8)), nullptr})}));
  expect(equals(s, type, ""), 1);
  static std::int32_t numbers[] = {-5, 6};
  expect(value(lang::make_integer(32, true),
               Dereference{value(lang::make_pointer(lang::make_integer(32, true), lang::AddressSpace::User), Constant{reinterpret_cast<std::uint64_t>(numbers)})}), -5);
  check();
  EXPECT_EQ(kernel_->losses().helper_failed, 1u);
}

TEST_F(Operations, TuplesAreKeysWithoutPadding) {
  const lang::Type narrow = lang::make_tuple({lang::make_integer(8, true), lang::make_integer(32, true)});
  const lang::Type wide = lang::make_tuple({lang::make_integer(16, true), lang::make_int64()});
  const MapId keyed = b_.map("@t", wide, lang::make_int64());
  auto make = [&](const lang::Type& type, std::int64_t a, std::int64_t c) {
    return value(type, MakeTuple{list(convert(type.fields[0].type, number(a)), convert(type.fields[1].type, number(c)))});
  };
  const SlotId s = slot(narrow);
  then(statement(StoreSlot{s, make(narrow, -1, -2)}));
  then(statement(MapSet{keyed, convert(wide, load(s, narrow)), number(3)}));
  expect(value(lang::make_int64(), MapGet{keyed, make(wide, -1, -2)}), 3);
  expect(value(lang::make_bool(), CompareMemory{load(s, narrow), make(narrow, -1, -2), false}), 1);
  expect(value(lang::make_bool(), CompareMemory{load(s, narrow), make(narrow, -1, 2), true}), 1);
  expect(value(lang::make_integer(32, true), Member{load(s, narrow), 1}), -2);
  const lang::Type array = lang::make_array(lang::make_integer(16, true), 3);
  static std::int16_t numbers[] = {1, -2, 3};
  const SlotId a = slot(array), i = slot(lang::make_int64());
  then(statement(StoreSlot{a, value(array, Dereference{value(lang::make_pointer(array, lang::AddressSpace::User), Constant{reinterpret_cast<std::uint64_t>(numbers)})})}));
  then(statement(MapSet{out_, number(100), number(1)}));
  then(statement(StoreSlot{i, value(lang::make_int64(), MapGet{out_, number(100)})}));
  expect(value(lang::make_integer(16, true), Element{load(a, array), load(i)}), -2);
  expect(value(lang::make_integer(16, true), Element{load(a, array), binary(BinaryOp::Add, load(i), number(2))}), 0);
  check();
  EXPECT_EQ(kernel_->records().size(), 1u);  // out of bounds
}

TEST_F(Operations, SideEffectsHappenInOrder) {
  const SlotId s = slot(lang::make_string(8));
  const EventId e = b_.event(lang::ActionKind::Printf, {lang::make_string(8), lang::make_int64()});
  then(statement(StoreSlot{s, convert(lang::make_string(8), text("old"))}));
  auto change = value(lang::make_int64(), Sequence{body(StoreSlot{s, convert(lang::make_string(8), text("new"))}), number(1)});
  then(statement(Emit{e, list(load(s, lang::make_string(8)), std::move(change))}));
  check();
  const auto records = kernel_->records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_STREQ(reinterpret_cast<const char*>(records[0].data()) + 8, "old");
}

TEST_F(Operations, HistogramBucketsAreThoseOfTheRunner) {
  const std::int64_t numbers[] = {INT64_MIN, -1, 0, 1, 2, 3, 4, 7, 8, 1000, 1024, 123456789, INT64_MAX};
  std::vector<MapId> maps;
  for (const std::uint32_t bits : {0u, 2u, 5u}) {
    maps.push_back(b_.map("@h" + std::to_string(bits), std::nullopt, lang::make_histogram(bits)));
    maps.push_back(b_.map("@k" + std::to_string(bits), lang::make_int64(), lang::make_histogram(bits)));
  }
  maps.push_back(b_.map("@l", lang::make_int64(), lang::make_linear_histogram(0, 1000, 100)));
  for (const MapId map : maps) {
    for (const std::int64_t n : numbers) then(statement(MapAggregate{map, b_.program.maps[map].key ? number(1) : nullptr, number(n)}));
  }
  check();
  for (const MapId map : maps) {
    const lang::Type& type = b_.program.maps[map].value;
    std::vector<std::uint64_t> wanted(lang::aggregate_size(type) / 8);
    for (const std::int64_t n : numbers) {
      if (type.is(TypeKind::Histogram)) {
        ++wanted[lang::bucket_of(n, type.count)];
      } else {
        ++wanted[n < type.low ? 0 : n >= type.high ? wanted.size() - 1 : static_cast<std::size_t>((n - type.low) / type.step + 1)];
      }
    }
    const std::int64_t one = 1;
    const std::uint32_t zero = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto key = b_.program.maps[map].key ? bytes_of(one) : bytes_of(zero);
      EXPECT_EQ(kernel_->word(map, key, static_cast<std::uint32_t>(i * 8)), wanted[i]) << b_.program.maps[map].name << " bucket " << i;
    }
  }
}

TEST_F(Operations, FullMapsAreCountedAndReportedOnce) {
  const MapId tiny = b_.map("@tiny", lang::make_int64(), lang::make_int64(), 1);
  const SlotId i = slot(lang::make_int64());
  then(statement(ForRange{i, number(0), number(10), body(MapSet{tiny, load(i), number(1)})}));
  check();
  EXPECT_EQ(kernel_->losses().map_full, 9u);
  const auto records = kernel_->records();
  ASSERT_EQ(records.size(), 1u);
  std::uint32_t event = 0;
  std::memcpy(&event, records[0].data(), 4);
  EXPECT_EQ(kernel_->image().events.at(event).text, "map_update_elem");
}

TEST_F(Operations, AFullRingIsCounted) {
  b_.program.ring_bytes = 4096;
  const EventId e = b_.event(lang::ActionKind::PrintValue, {lang::make_string(120)});
  const SlotId i = slot(lang::make_int64());
  then(statement(ForRange{i, number(0), number(100), body(Emit{e, list(convert(lang::make_string(120), text("x")))})}));
  check();
  EXPECT_EQ(kernel_->records().size() + kernel_->losses().ring_full, 100u);
  EXPECT_GT(kernel_->losses().ring_full, 0u);
}

TEST_F(Operations, StacksAreNamedByContent) {
  const lang::Type type = lang::make_stack(false, 127, "");
  const MapId counts = b_.map("@s", type, lang::make_aggregate(TypeKind::Count, false));
  then(statement(MapAggregate{counts, value(type, CaptureStack{}), nullptr}));
  const lang::Type user = lang::make_stack(true, 20, "");
  const EventId e = b_.event(lang::ActionKind::PrintValue, {user});
  then(statement(Emit{e, list(value(user, CaptureStack{.unwinding = Unwinding::FramePointers}))}));
  expect(value(lang::make_int64(), StackLength{false, 3, true}), 3);
  check();
  kernel_->run();
  kernel_->run();
  EXPECT_EQ(kernel_->count(counts), 1u);  // the same place in the kernel each time
  // Each stack is sent once, before the first event that names it.
  std::set<std::uint64_t> sent;
  std::size_t events = 0, kernel_stacks = 0;
  for (const std::vector<std::byte>& record : kernel_->records()) {
    std::uint32_t event = 0;
    std::memcpy(&event, record.data(), 4);
    if (kernel_->image().events[event].action == lang::ActionKind::StackFrames) {
      trc_stack_record head{};
      std::memcpy(&head, record.data(), sizeof head);
      EXPECT_EQ(record.size(), sizeof head + head.count * 8);
      EXPECT_GE(head.count, 1u);
      EXPECT_TRUE(head.tgid == 0 || head.tgid == static_cast<std::uint32_t>(getpid()));
      EXPECT_TRUE(head.tgid != 0 || head.end == TRC_STACK_Root);
      EXPECT_TRUE(sent.insert(head.name_low).second);
      kernel_stacks += head.tgid == 0;
      continue;
    }
    ++events;
    std::uint64_t named = 0;
    std::uint32_t pid_sent = 0;
    std::memcpy(&named, record.data() + 8, 8);
    std::memcpy(&pid_sent, record.data() + 8 + 16, 4);
    EXPECT_TRUE(sent.contains(named));
    EXPECT_EQ(pid_sent, static_cast<std::uint32_t>(getpid()));
  }
  EXPECT_EQ(events, 3u);
  EXPECT_EQ(kernel_stacks, 1u);
}

TEST_F(Operations, RuntimeConstantsSymbolsAndTimestamps) {
  expect(value(lang::make_uint64(), Runtime{RuntimeConstant::TargetPid}), getpid());
  expect(value(lang::make_uint64(), Runtime{RuntimeConstant::ChildPid}), 4711);
  expect(binary(BinaryOp::Equal, pid(), number(getpid())), 1);
  const EventId e = b_.event(lang::ActionKind::PrintValue, {lang::make_symbol(true)});
  const EventId t = b_.event(lang::ActionKind::PrintValue, {lang::make_timestamp("%H")});
  then(statement(Emit{e, list(value(lang::make_symbol(true), MakeSymbol{unsigned_number(0x1234)}))}));
  then(statement(Emit{t, list(value(lang::make_timestamp("%H"), MakeTimestamp{unsigned_number(77), 2}))}));
  check();
  const auto records = kernel_->records();
  ASSERT_EQ(records.size(), 2u);
  std::uint64_t words[2][2] = {};
  for (int i = 0; i < 2; ++i) std::memcpy(words[i], records[static_cast<std::size_t>(i)].data() + 8, 16);
  EXPECT_EQ(words[0][0], 0x1234u);
  EXPECT_EQ(words[0][1], static_cast<std::uint64_t>(getpid()));
  EXPECT_EQ(words[1][0], 77u);
  EXPECT_EQ(words[1][1], 2u);
}

TEST_F(Operations, ProcessesOfTheCommand) {
  then(statement(MapSet{out_, number(0), value(lang::make_uint64(), CallStdlib{"trc_in_tree", {}})}));
  check();
  const auto map_of = [&](const std::string& name) {
    const auto& maps = kernel_->image().maps;
    const auto found = std::find_if(maps.begin(), maps.end(), [&](const image::MapEntry& map) { return map.name == name; });
    return kernel_->map_fd(static_cast<std::uint32_t>(found - maps.begin()));
  };
  const auto answers = [&](unsigned command, unsigned state) {
    const std::uint32_t zero = 0;
    const trc_tree tree{.command = command, .state = state};
    EXPECT_EQ(bpf_map_update_elem(map_of("trc_tree"), &zero, &tree, BPF_ANY), 0);
    kernel_->run();
    const std::int64_t key = 0;
    return kernel_->word(out_, bytes_of(key)) != 0;
  };
  const auto self = static_cast<unsigned>(getpid());
  EXPECT_TRUE(answers(self, TRC_TREE_COMMAND_ALONE));
  EXPECT_TRUE(answers(self, TRC_TREE_FORKED));
  EXPECT_TRUE(answers(TRC_TREE_NOBODY, TRC_TREE_EVERYBODY));
  EXPECT_FALSE(answers(TRC_TREE_NOBODY, TRC_TREE_COMMAND_ALONE));
  EXPECT_FALSE(answers(self + 1, TRC_TREE_FORKED));
  const std::uint32_t one = 1;
  EXPECT_EQ(bpf_map_update_elem(map_of("trc_tree_members"), &self, &one, BPF_ANY), 0);
  EXPECT_TRUE(answers(self + 1, TRC_TREE_FORKED));
  EXPECT_FALSE(answers(self + 1, TRC_TREE_COMMAND_ALONE));   // not looked up
}

TEST_F(Operations, JoinAndBuffers) {
  static const char* argv[] = {"one", "two", "three", nullptr};
  lang::EventSchema schema;
  schema.action = lang::ActionKind::Join;
  schema.fields = {{lang::make_integer(32, false), 0}, {lang::make_array(lang::make_string(lang::kJoinStringSize), lang::kJoinStrings), 0}};
  lang::lay_out(schema);
  b_.program.events.push_back(schema);
  const lang::Type list_type = lang::make_pointer(lang::make_pointer(lang::make_integer(8, true), lang::AddressSpace::User), lang::AddressSpace::User);
  then(statement(EmitJoin{0, value(list_type, Constant{reinterpret_cast<std::uint64_t>(argv)})}));
  const lang::Type buffer = lang::make_buffer(16);
  const EventId e = b_.event(lang::ActionKind::PrintValue, {buffer});
  static const char raw[] = "\1\2\3\4\5";
  auto at = value(lang::make_pointer(lang::make_integer(8, false), lang::AddressSpace::User), Constant{reinterpret_cast<std::uint64_t>(raw)});
  then(statement(MapSet{out_, number(0), number(3)}));
  then(statement(Emit{e, list(value(buffer, ReadBuffer{std::move(at), value(lang::make_int64(), MapGet{out_, number(0)})}))}));
  check();
  const auto records = kernel_->records();
  ASSERT_EQ(records.size(), 2u);
  std::uint32_t count = 0;
  std::memcpy(&count, records[0].data() + schema.fields[0].offset, 4);
  ASSERT_EQ(count, 3u);
  EXPECT_STREQ(reinterpret_cast<const char*>(records[0].data()) + schema.fields[1].offset + 2 * lang::kJoinStringSize, "three");
  std::memcpy(&count, records[1].data() + 8, 4);
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(std::memcmp(records[1].data() + 12, "\1\2\3\0", 4), 0);
}

}  // namespace
}  // namespace trc::test
