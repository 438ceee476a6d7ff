#include "runtime/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "lang/aggregates.h"
#include "stdlib/unwind_abi.h"
#include "stdlib/python_abi.h"
#include "symbols/symbolizer.h"
#include "unit/runtime/bytes.h"

extern "C" __attribute__((noinline)) int trc_decode_test_function(int x) { return x + static_cast<int>(::getpid()); }

namespace trc::runtime {
namespace {

using output::to_text;

std::string text_of(const ByteVector& bytes, const lang::Type& type, const DecodeContext& context = {}) {
  return to_text(decode(bytes, type, context));
}

TEST(Decode, Integers) {
  EXPECT_EQ(text_of(bytes_of(std::int8_t{-1}), lang::make_integer(8, true)), "-1");
  EXPECT_EQ(text_of(bytes_of(std::uint8_t{255}), lang::make_integer(8, false)), "255");
  EXPECT_EQ(text_of(bytes_of(std::int16_t{-300}), lang::make_integer(16, true)), "-300");
  EXPECT_EQ(text_of(bytes_of(std::uint32_t{4000000000}), lang::make_integer(32, false)), "4000000000");
  EXPECT_EQ(text_of(bytes_of(INT64_MIN), lang::make_int64()), "-9223372036854775808");
  EXPECT_EQ(text_of(bytes_of(UINT64_MAX), lang::make_uint64()), "18446744073709551615");
}

TEST(Decode, BoolAndPointer) {
  EXPECT_EQ(text_of(bytes_of(std::uint8_t{0}), lang::make_bool()), "false");
  EXPECT_EQ(text_of(bytes_of(std::uint8_t{2}), lang::make_bool()), "true");
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{0xabc}), lang::make_pointer(lang::make_void(), lang::AddressSpace::User)), "0xabc");
}

TEST(Decode, Strings) {
  EXPECT_EQ(text_of(text_bytes("bob", 16), lang::make_string(16)), "bob");
  EXPECT_EQ(text_of(text_bytes("/etc/ld.so.cache", 8), lang::make_string(8)), "/etc/ld...");
  EXPECT_EQ(text_of(text_bytes("abc", 4), lang::make_string(4)), "abc");
  EXPECT_EQ(text_of(text_bytes("abc", 2), lang::make_string(8)), "ab");  // fewer bytes than the type has: nothing was cut off
}

TEST(Decode, Buffers) {
  const auto type = lang::make_buffer(4);
  EXPECT_EQ(text_of(bytes_of(std::uint32_t{2}) + text_bytes("ab", 4), type), "ab");
  EXPECT_EQ(text_of(bytes_of(std::uint32_t{4}) + text_bytes("a\1", 4), type), "a\\x01\\x00\\x00");
  EXPECT_EQ(text_of(bytes_of(std::uint32_t{0xffffffff}) + text_bytes("abcd", 4), type), "abcd");
}

TEST(Decode, Composites) {
  const auto tuple = lang::make_tuple({lang::make_integer(8, false), lang::make_int64(), lang::make_string(4)});
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{1}, std::int64_t{-2}) + text_bytes("abc", 8), tuple), "(1, -2, abc)");
  const auto array = lang::make_array(lang::make_integer(16, true), 3);
  EXPECT_EQ(text_of(bytes_of(std::int16_t{7}, std::int16_t{-8}, std::int16_t{9}), array), "[7,-8,9]");
  const auto record = lang::make_record({{.name = "x", .type = lang::make_int64()}, {.name = "ok", .type = lang::make_bool()}});
  EXPECT_EQ(text_of(bytes_of(std::int64_t{5}, std::uint64_t{1}), record), "{ .x = 5, .ok = true }");
}

TEST(Decode, BitFields) {
  lang::Type type;
  type.kind = lang::TypeKind::Struct;
  type.size = 4;
  type.fields = {{.name = "low", .type = lang::make_integer(32, false), .bit_offset = 0, .bit_size = 3},
                 {.name = "sign", .type = lang::make_integer(32, true), .bit_offset = 3, .bit_size = 2},
                 {.name = "high", .type = lang::make_integer(32, false), .bit_offset = 31, .bit_size = 1}};
  EXPECT_EQ(text_of(bytes_of(std::uint32_t{0x80000000 | 0b11'101}), type), "{ .low = 5, .sign = -1, .high = 1 }");
}

TEST(Decode, ProbeNames) {
  DecodeContext context;
  context.probe_name = [](std::uint64_t id) { return "uprobe:/bin/x:f" + std::to_string(id); };
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{3}), lang::make_probe_name(), context), "uprobe:/bin/x:f3");
}

TEST(Decode, Usernames) {
  lang::Type type;
  type.kind = lang::TypeKind::Username;
  type.size = 8;
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{0}), type), "root");
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{4123456789}), type), "4123456789");
}

TEST(Decode, Timestamps) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  DecodeContext context;
  context.clocks.to_realtime = {1'700'000'000'000'000'000, 0, 5'000'000'000};
  const auto type = lang::make_timestamp("%Y %H:%M:%S.%f");
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{1'500'000'000}, std::uint32_t{0}, std::uint32_t{0}), type, context), "2023 22:13:21.500000");
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{1'000'000}, std::uint32_t{2}, std::uint32_t{0}), type, context), "1970 00:00:05.001000");
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{0}, std::uint32_t{99}, std::uint32_t{0}), type, context), "1970 00:00:00.000000");
}

TEST(Decode, ClockOffsetsLeadToNow) {
  const ClockOffsets offsets = ClockOffsets::measure();
  timespec boot{}, real{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  ::clock_gettime(CLOCK_REALTIME, &real);
  const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000LL + t.tv_nsec; };
  EXPECT_NEAR(static_cast<double>(ns(boot) + offsets.to_realtime[0]), static_cast<double>(ns(real)), 1e9);
}

// ---- stacks and symbols ----

class Stacks : public ::testing::Test {
 protected:
  Stacks() {
    context.symbolizer = &symbolizer;
    context.stack = [this](const StackId& id) -> std::optional<Stack> {
      asked = id;
      return found ? std::optional(Stack{.frames = frames, .end = end, .time_ns = symbols::kNow}) : std::nullopt;
    };
  }
  std::string user_stack(const char* mode) {
    return text_of(bytes_of(std::uint64_t{11}, std::uint64_t{22}, static_cast<std::uint32_t>(::getpid()), std::uint32_t{0}),
                   lang::make_stack(true, 20, mode), context);
  }
  std::string kernel_stack(const char* mode) {
    return text_of(bytes_of(std::uint64_t{11}, std::uint64_t{22}), lang::make_stack(false, 127, mode), context);
  }

  std::uint64_t known = reinterpret_cast<std::uint64_t>(&trc_decode_test_function) + 1;
  std::vector<std::uint64_t> frames = {known, 0x10};
  std::uint16_t end = TRC_STACK_Root;
  bool found = true;
  StackId asked;
  symbols::Symbolizer symbolizer;
  DecodeContext context;
};

std::string hex(std::uint64_t address) {
  char text[32];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(address));
  return text;
}

TEST_F(Stacks, User) {
  EXPECT_EQ(user_stack(""), "\n        trc_decode_test_function+1\n        0x10\n");
  EXPECT_EQ(asked.low, 11U);
  EXPECT_EQ(asked.high, 22U);
}

TEST_F(Stacks, Modes) {
  const std::string module = symbolizer.user(static_cast<std::uint32_t>(::getpid()), known).module;
  EXPECT_EQ(user_stack("perf"), "\n\t" + hex(known) + " trc_decode_test_function+1 (" + module + ")\n\t10 0x10 ([unknown])\n");
  EXPECT_EQ(user_stack("raw"), "\n" + hex(known) + "\n10\n");
  context.settings.stack_mode = "raw";
  EXPECT_EQ(user_stack(""), "\n" + hex(known) + "\n10\n");
  EXPECT_EQ(user_stack("bpftrace"), "\n        trc_decode_test_function+1\n        0x10\n");
}

TEST_F(Stacks, BuildId) {
  const auto location = symbolizer.user_location(static_cast<std::uint32_t>(::getpid()), known, symbols::kNow);
  ASSERT_TRUE(location);
  EXPECT_EQ(user_stack("build_id"), "\n" + location->build_id + " 0x" + hex(location->offset) + "\n0x10\n");
  frames = {0x10};
  EXPECT_EQ(kernel_stack("build_id"), "\n0x10\n");
}

TEST_F(Stacks, AReturnAddressBelongsToTheCallBeforeIt) {
  // The innermost address is exact; a caller's can lie just behind its function, when that ends with a call that does not return.
  frames = {known - 1, known - 1};
  const std::string text = user_stack("");
  EXPECT_EQ(text.find("\n        trc_decode_test_function+0\n"), 0U);
  EXPECT_EQ(text.find("trc_decode_test_function", 30), std::string::npos) << text;
}

TEST_F(Stacks, Kernel) {
  frames = {0x10};
  EXPECT_EQ(kernel_stack(""), "\n        0x10\n");
  EXPECT_EQ(kernel_stack("perf"), "\n\t10 0x10\n");
  EXPECT_EQ(asked.low, 11U);
}

TEST_F(Stacks, FramesOfPython) {
  constexpr std::uint64_t kNamed = TRC_PY_FRAME | 7, kWithoutLine = TRC_PY_FRAME | 8, kLost = TRC_PY_FRAME | 9;
  context.interpreted = [](std::uint32_t pid, std::uint64_t word) -> std::optional<interpreters::NamedFrame> {
    EXPECT_EQ(pid, static_cast<std::uint32_t>(::getpid()));
    if (word == kLost) return std::nullopt;
    return interpreters::NamedFrame{"A.f", "/x/a.py", word == kNamed ? std::optional(12) : std::nullopt, "py"};
  };
  frames = {kNamed, kWithoutLine, kLost};
  EXPECT_EQ(user_stack("python"), "\n        A.f (/x/a.py:12)\n        A.f (/x/a.py)\n        [a function whose name was lost]\n");
  frames = {0x10, kNamed, TRC_PY_UNPLACED, kNamed};
  EXPECT_EQ(user_stack("mixed"), "\n        0x10\n        [py] A.f (/x/a.py:12)\n        [Python frames whose place among the others is not known:]\n"
                                 "        [py] A.f (/x/a.py:12)\n");
  end = TRC_STACK_PythonUnlinked;
  EXPECT_THAT(user_stack("python"), ::testing::EndsWith("[truncated: a Python frame that was being entered or left]\n"));
}

TEST_F(Stacks, ThatAreCutSayWhy) {
  end = TRC_STACK_Limit;
  EXPECT_EQ(user_stack(""), "\n        trc_decode_test_function+1\n        0x10\n        [truncated: limit of frames reached]\n");
  EXPECT_THAT(user_stack("perf"), ::testing::EndsWith("\n\t[truncated: limit of frames reached]\n"));
  EXPECT_THAT(user_stack("raw"), ::testing::EndsWith("\n[truncated: limit of frames reached]\n"));
  end = TRC_STACK_Asked;
  EXPECT_EQ(user_stack(""), "\n        trc_decode_test_function+1\n        0x10\n");
  end = 999;
  EXPECT_THAT(user_stack(""), ::testing::EndsWith("[truncated: unknown reason]\n"));
}

TEST_F(Stacks, EmptyOrMissing) {
  found = false;
  EXPECT_EQ(kernel_stack(""), "\n        [lost: its frames found no room in the ring buffer]\n");
  found = true;
  frames.clear();
  EXPECT_EQ(kernel_stack(""), "");
  frames = {0x10};
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{0}, std::uint64_t{0}), lang::make_stack(false, 127, ""), context), "");
}

TEST_F(Stacks, Symbols) {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  EXPECT_EQ(text_of(bytes_of(known, pid, std::uint32_t{0}), lang::make_symbol(true), context), "trc_decode_test_function");
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{0x10}, pid, std::uint32_t{0}), lang::make_symbol(true), context), "0x10");
  EXPECT_EQ(text_of(bytes_of(std::uint64_t{0x10}), lang::make_symbol(false), context), "0x10");
}

TEST(Decode, SymbolsWithoutASymbolizer) { EXPECT_EQ(text_of(bytes_of(std::uint64_t{0xff}), lang::make_symbol(false)), "0xff"); }

// ---- aggregates ----

std::string aggregate(const lang::Type& type, std::vector<std::uint64_t> words, std::uint64_t divisor = 1) {
  return to_text(aggregate_value(type, words, divisor));
}

constexpr std::uint64_t negative(std::int64_t n) { return static_cast<std::uint64_t>(n); }

TEST(Aggregates, Numbers) {
  using lang::TypeKind;
  EXPECT_EQ(aggregate(lang::make_aggregate(TypeKind::Count, true), {5}), "5");
  EXPECT_EQ(aggregate(lang::make_aggregate(TypeKind::Sum, true), {negative(-7)}), "-7");
  EXPECT_EQ(aggregate(lang::make_aggregate(TypeKind::Sum, false), {UINT64_MAX}), "18446744073709551615");
  EXPECT_EQ(aggregate(lang::make_aggregate(TypeKind::Min, true), {negative(-9), 1}), "-9");
  EXPECT_EQ(aggregate(lang::make_aggregate(TypeKind::Max, true), {}), "0");
}

TEST(Aggregates, AveragesAreTruncatedTowardZero) {
  const auto avg = lang::make_aggregate(lang::TypeKind::Avg, true);
  EXPECT_EQ(aggregate(avg, {9, 2}), "4");
  EXPECT_EQ(aggregate(avg, {negative(-9), 2}), "-4");
  EXPECT_EQ(aggregate(avg, {0, 0}), "0");
  EXPECT_EQ(aggregate(lang::make_aggregate(lang::TypeKind::Avg, false), {UINT64_MAX, 2}), "9223372036854775807");
  EXPECT_EQ(aggregate(lang::make_aggregate(lang::TypeKind::Stats, true), {12, 2}), "{ .count = 2, .average = 6, .total = 12 }");
  EXPECT_EQ(aggregate(lang::make_aggregate(lang::TypeKind::Stats, true), {12, 2}, 3), "{ .count = 2, .average = 2, .total = 12 }");
}

TEST(Aggregates, Divisors) {
  const auto sum = lang::make_aggregate(lang::TypeKind::Sum, true);
  EXPECT_EQ(aggregate(sum, {negative(-1000)}, 256), "-3");
  EXPECT_EQ(aggregate(sum, {1000}, 0), "1000");
  EXPECT_EQ(aggregate(sum, {negative(INT64_MIN)}, UINT64_MAX), "0");
}

// ---- addresses ----

std::string decoded(const lang::Type& type, std::string_view bytes) {
  return to_text(decode(std::as_bytes(std::span(bytes)), type, {}));
}

TEST(Decode, MacAddresses) { EXPECT_EQ(decoded(lang::make_mac_address(), std::string_view("\x00\x1a\x2b\xcd\xef\x5e", 6)), "00:1A:2B:CD:EF:5E"); }

TEST(Decode, InternetAddresses) {
  const std::string v4("\x02\0\0\0\x7f\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0", 20), v6("\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 20);
  EXPECT_EQ(decoded(lang::make_inet(), v4), "127.0.0.1");
  EXPECT_EQ(decoded(lang::make_inet(), v6), "::1");
}

TEST(Decode, CgroupPathsAreAskedFor) {
  DecodeContext context;
  context.cgroup_path = [](std::uint64_t id, const std::string& filter) { return filter + ":/" + std::to_string(id); };
  const std::uint64_t id = 77;
  EXPECT_EQ(to_text(decode(std::as_bytes(std::span(&id, 1)), lang::make_cgroup_path("unified"), context)), "unified:/77");
}

// ---- bounds ----

lang::Type plain(lang::TypeKind kind, std::uint32_t size) {
  lang::Type type;
  type.kind = kind;
  type.size = size;
  return type;
}

std::vector<lang::Type> one_of_each() {
  using namespace lang;
  std::vector<Type> types = {make_void(), make_bool(), make_integer(8, true), make_integer(16, false), make_integer(32, true), make_int64(),
                             make_pointer(make_int64(), AddressSpace::Kernel), make_string(0), make_string(5), make_buffer(0), make_buffer(9),
                             make_array(make_integer(16, true), 5), make_array(make_string(3), 4), make_timestamp("%Y"), make_timestamp(""),
                             make_stack(false, 127, ""), make_stack(true, 3, "perf"), make_symbol(true), make_symbol(false), make_probe_name(),
                             make_aggregate(TypeKind::Count, true), make_aggregate(TypeKind::Sum, true), make_aggregate(TypeKind::Min, true),
                             make_aggregate(TypeKind::Max, false), make_aggregate(TypeKind::Avg, true), make_aggregate(TypeKind::Stats, false),
                             make_histogram(0), make_histogram(5), make_linear_histogram(-10, 10, 3)};
  types.push_back(plain(TypeKind::None, 0));
  types.push_back(make_username());
  for (Type type : {make_mac_address(), make_inet(), make_cgroup_path("uni*"), make_time_series(true, SeriesValue::Average, 1000, 3)}) types.push_back(std::move(type));
  types.push_back(make_tuple({types[3], types[8], types[16]}));
  types.push_back(make_record({{.name = "a", .type = types[11]}, {.name = "b", .type = types.back()}}));
  types.push_back(make_array(types.back(), 3));
  types.push_back(plain(TypeKind::Struct, 4));
  types.back().fields = {{.name = "bits", .type = make_integer(32, true), .offset = 1, .bit_offset = 30, .bit_size = 200},
                         {.name = "far", .type = make_int64(), .offset = 0xfffffff0}};
  return types;
}

TEST(Decode, EveryTypeHasACase) {
  std::vector<bool> seen(static_cast<std::size_t>(lang::TypeKind::TimeSeries) + 1);
  for (const lang::Type& type : one_of_each()) seen[static_cast<std::size_t>(type.kind)] = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0);
}

// Run with -DTRC_SANITIZE=ON to see a read out of bounds: each input is a heap block of exactly its size.
TEST(Decode, AnyBytesOfAnyLength) {
  std::mt19937 random(1);
  DecodeContext context;
  context.stack = [](const StackId& id) -> std::optional<Stack> { return Stack{.frames = {id.low, 1}, .end = static_cast<std::uint16_t>(id.high)}; };
  for (const lang::Type& type : one_of_each()) {
    for (int round = 0; round < 200; round++) {
      ByteVector bytes(random() % (type.size + 9));
      for (std::byte& b : bytes) b = static_cast<std::byte>(random());
      bytes.shrink_to_fit();
      const std::string text = text_of(bytes, type, context);
      EXPECT_LT(text.size(), 1'000'000U);
    }
    EXPECT_NO_FATAL_FAILURE(text_of({}, type, context));
  }
}

TEST(Decode, TypesThatClaimTooMuch) {
  // An array of more elements than there can be, elements of no size, a nesting without end.
  EXPECT_EQ(text_of(bytes_of(std::uint16_t{7}), lang::make_array(lang::make_integer(16, false), 1'000'000'000)), "[7]");
  EXPECT_EQ(text_of(bytes_of(std::uint16_t{7}), lang::make_array(lang::make_void(), 1'000'000'000)), "[]");
  EXPECT_EQ(text_of({}, plain(lang::TypeKind::Array, 4)), "[]");
  lang::Type deep = lang::make_int64();
  for (int i = 0; i < 1000; i++) deep = lang::make_tuple({std::move(deep)});
  EXPECT_NE(text_of(bytes_of(std::uint64_t{1}), deep).find("null"), std::string::npos);
}

TEST(Decode, FieldsOfARecord) {
  lang::EventSchema schema;
  schema.fields = {{lang::make_integer(32, true)}, {lang::make_string(8)}, {lang::make_int64()}};
  lang::lay_out(schema);
  ByteVector record(schema.size);
  const std::int32_t number = -5;
  const std::int64_t last = 77;
  std::memcpy(record.data() + schema.fields[0].offset, &number, 4);
  std::memcpy(record.data() + schema.fields[1].offset, "hi", 2);
  std::memcpy(record.data() + schema.fields[2].offset, &last, 8);
  const auto values = decode_fields(record, schema, {});
  ASSERT_EQ(values.size(), 3U);
  EXPECT_EQ(to_text(values[0]), "-5");
  EXPECT_EQ(to_text(values[1]), "hi");
  EXPECT_EQ(to_text(values[2]), "77");
  record.resize(schema.fields[2].offset);  // a record that is too short
  EXPECT_EQ(to_text(decode_fields(record, schema, {})[2]), "0");
}

}  // namespace
}  // namespace trc::runtime
