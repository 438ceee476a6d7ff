#include "runtime/map_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "lang/aggregates.h"
#include "stdlib/python_abi.h"
#include "unit/runtime/bytes.h"

namespace trc::runtime {
namespace {

using lang::TypeKind;
using output::to_text;

/// A map entry as code generation writes it for such a key and value.
image::MapEntry entry(lang::Type value, std::optional<lang::Type> key = std::nullopt) {
  image::MapEntry map;
  map.script_name = "@x";
  map.role = image::MapRole::User;
  map.per_cpu = value.is_aggregate();
  map.value_size = value.size;
  if (key) {
    map.has_key = true;
    map.key = *key;
    map.key_size = key->size;
  } else {
    map.presence_offset = (value.size + 7) / 8 * 8;
    map.value_size = map.presence_offset + 8;
  }
  map.value = std::move(value);
  return map;
}

/// "key=value" for each entry, separated by spaces.
std::string shown(const output::MapDump& dump) {
  std::string out;
  for (const auto& [key, value] : dump.entries) {
    if (!out.empty()) out += " ";
    if (dump.has_key) out += output::key_to_text(key) + "=";
    out += to_text(value);
  }
  return out;
}

/// The dump must not depend on the order in which a hash map gives its elements.
std::string shown(const image::MapEntry& map, std::vector<MapElement> elements, const MapPrint& print = {}, const DecodeContext& context = {}) {
  const std::string result = shown(read_map(map, elements, context, print));
  std::mt19937 random(3);
  for (int i = 0; i < 20; i++) {
    std::shuffle(elements.begin(), elements.end(), random);
    EXPECT_EQ(shown(read_map(map, elements, context, print)), result);
  }
  return result;
}

template <class Value>
std::vector<MapElement> numbered(std::initializer_list<std::pair<std::int64_t, Value>> entries) {
  std::vector<MapElement> out;
  for (const auto& [key, value] : entries) out.push_back({bytes_of(key), bytes_of(value)});
  return out;
}

constexpr std::uint64_t negative(std::int64_t n) { return static_cast<std::uint64_t>(n); }

TEST(ReadMap, NameAndKind) {
  const auto dump = read_map(entry(lang::make_aggregate(TypeKind::Count, true), lang::make_int64()), {}, {});
  EXPECT_EQ(dump.name, "@x");
  EXPECT_TRUE(dump.has_key);
  EXPECT_EQ(dump.value_kind, TypeKind::Count);
  EXPECT_TRUE(dump.entries.empty());
}

// ---- order ----

TEST(ReadMap, IntegersAreSortedByValueWhateverTheirWidth) {
  EXPECT_EQ(shown(entry(lang::make_int64(), lang::make_int64()), numbered<std::int64_t>({{1, 5}, {2, -9}, {3, 0}})), "2=-9 3=0 1=5");
  EXPECT_EQ(shown(entry(lang::make_uint64(), lang::make_int64()), numbered<std::uint64_t>({{1, 5}, {2, UINT64_MAX}, {3, 0}})),
            "3=0 1=5 2=18446744073709551615");
  EXPECT_EQ(shown(entry(lang::make_integer(8, true), lang::make_int64()), numbered<std::int8_t>({{1, 5}, {2, -9}, {3, 0}})), "2=-9 3=0 1=5");
  EXPECT_EQ(shown(entry(lang::make_integer(32, false), lang::make_int64()), numbered<std::uint32_t>({{1, 5}, {2, 4000000000}, {3, 0}})),
            "3=0 1=5 2=4000000000");
}

TEST(ReadMap, EqualValuesAreSortedByKey) {
  EXPECT_EQ(shown(entry(lang::make_int64(), lang::make_int64()), numbered<std::int64_t>({{256, 1}, {-1, 1}, {3, 1}, {1, 0}})),
            "1=0 -1=1 3=1 256=1");
}

TEST(ReadMap, OtherValuesAreSortedByKey) {
  const auto by_key = [](const lang::Type& value, std::size_t size) {
    std::vector<MapElement> elements;
    for (std::int64_t key : {300, -2, 7}) elements.push_back({bytes_of(key), ByteVector(size)});
    std::string keys;
    for (const auto& [key, v] : read_map(entry(value, lang::make_int64()), elements, {}).entries) keys += to_text(key) + " ";
    return keys;
  };
  EXPECT_EQ(by_key(lang::make_string(8), 8), "-2 7 300 ");
  EXPECT_EQ(by_key(lang::make_bool(), 1), "-2 7 300 ");
  EXPECT_EQ(by_key(lang::make_pointer(lang::make_void(), lang::AddressSpace::User), 8), "-2 7 300 ");
  EXPECT_EQ(by_key(lang::make_tuple({lang::make_int64()}), 8), "-2 7 300 ");
  EXPECT_EQ(by_key(lang::make_stack(false, 127, ""), 16), "-2 7 300 ");
}

// ---- keys that look the same ----

/// A key of one stack and a number.
ByteVector stack_key(std::uint64_t id, std::uint32_t pid, std::uint64_t number) { return bytes_of(id, id, std::uint64_t{pid}, number); }

TEST(ReadMap, StacksThatPrintTheSameAreOneEntry) {
  DecodeContext context;
  context.stack = [](const StackId& id) { return Stack{.frames = {TRC_PY_FRAME | id.low}}; };
  context.interpreted = [](std::uint32_t, std::uint64_t word) {   // two places of line 1, one of line 2
    return interpreters::NamedFrame{"f", "a.py", (word & 3) == 3 ? 2 : 1, "py"};
  };
  const std::vector<MapElement> elements = {{stack_key(1, 7, 5), bytes_of(std::uint64_t{10})}, {stack_key(2, 7, 5), bytes_of(std::uint64_t{5})},
                                            {stack_key(3, 7, 5), bytes_of(std::uint64_t{20})}, {stack_key(1, 7, 6), bytes_of(std::uint64_t{30})}};
  auto map = entry(lang::make_aggregate(TypeKind::Count, false), lang::make_tuple({lang::make_stack(true, 10, "python"), lang::make_uint64()}));
  const std::string line_1 = "\n        f (a.py:1)\n", line_2 = "\n        f (a.py:2)\n";
  EXPECT_EQ(shown(map, elements, {}, context), line_1 + ", 5=15 " + line_2 + ", 5=20 " + line_1 + ", 6=30");
  EXPECT_EQ(shown(map, elements, {.top = 2}, context), line_2 + ", 5=20 " + line_1 + ", 6=30");
  context.settings.compat = true;
  EXPECT_EQ(read_map(map, elements, context).entries.size(), 4u);
}

TEST(ReadMap, StacksOfTwoProcessesThatPrintTheSameAreOneEntry) {
  DecodeContext context;
  context.stack = [](const StackId& id) { return Stack{.frames = {0x10 + (id.low & 4)}}; };   // without a symbolizer, addresses are names
  const auto type = lang::make_aggregate(TypeKind::Max, true);
  auto map = entry(type, lang::make_stack(true, 10, ""));
  const auto key = [](std::uint64_t id, std::uint32_t pid) { return bytes_of(id, id, std::uint64_t{pid}); };
  const auto maximum = [&](std::uint64_t value) { return bytes_of(lang::rank_of(type, value), std::uint64_t{1}); };
  EXPECT_EQ(shown(map, {{key(1, 7), maximum(5)}, {key(2, 8), maximum(9)}, {key(4, 8), maximum(6)}}, {}, context), "\n        0x14\n=6 \n        0x10\n=9");
}

TEST(ReadMap, PlainValuesOfKeysThatLookTheSameStayApart) {
  DecodeContext context;
  context.stack = [](const StackId&) { return Stack{.frames = {0x10}}; };
  auto map = entry(lang::make_int64(), lang::make_tuple({lang::make_stack(true, 10, "folded"), lang::make_uint64()}));
  EXPECT_EQ(read_map(map, {{stack_key(1, 7, 5), bytes_of(std::int64_t{1})}, {stack_key(2, 7, 5), bytes_of(std::int64_t{2})}}, context).entries.size(), 2u);
}

TEST(ReadMap, KeysByType) {
  const auto value = lang::make_string(4);
  const auto keys_in_order = [&](const lang::Type& key, const std::vector<ByteVector>& keys, const DecodeContext& context = {}) {
    std::vector<MapElement> elements;
    for (const ByteVector& bytes : keys) elements.push_back({bytes, text_bytes("", 4)});
    return shown(entry(value, key), elements, {}, context);
  };
  EXPECT_EQ(keys_in_order(lang::make_uint64(), {bytes_of(UINT64_MAX), bytes_of(std::uint64_t{256}), bytes_of(std::uint64_t{1})}),
            "1= 256= 18446744073709551615=");
  EXPECT_EQ(keys_in_order(lang::make_integer(8, true), {bytes_of(std::int8_t{5}), bytes_of(std::int8_t{-5})}), "-5= 5=");
  EXPECT_EQ(keys_in_order(lang::make_string(8), {text_bytes("b", 8), text_bytes("abc", 8), text_bytes("ab", 8), text_bytes("B", 8)}),
            "B= ab= abc= b=");
  EXPECT_EQ(keys_in_order(lang::make_pointer(lang::make_void(), lang::AddressSpace::User), {bytes_of(std::uint64_t{0x100}), bytes_of(std::uint64_t{0x20})}),
            "0x20= 0x100=");
  const auto tuple = lang::make_tuple({lang::make_string(8), lang::make_int64()});
  EXPECT_EQ(keys_in_order(tuple, {text_bytes("b", 8) + bytes_of(std::int64_t{-1}), text_bytes("a", 8) + bytes_of(std::int64_t{300}),
                                  text_bytes("a", 8) + bytes_of(std::int64_t{7})}),
            "a, 7= a, 300= b, -1=");
  DecodeContext names;
  names.probe_name = [](std::uint64_t id) { return id == 1 ? "z" : id == 2 ? "a" : "m"; };
  EXPECT_EQ(keys_in_order(lang::make_probe_name(), {bytes_of(std::uint64_t{1}), bytes_of(std::uint64_t{2}), bytes_of(std::uint64_t{3})}, names),
            "a= m= z=");
}

TEST(ReadMap, BytesBehindTheEndOfAStringDoNotMatterFirst) {
  const auto key = lang::make_tuple({lang::make_string(8), lang::make_int64()});
  ByteVector first = text_bytes("a", 8), second = text_bytes("a", 8);
  first[5] = std::byte{9};
  EXPECT_EQ(shown(entry(lang::make_string(4), key), {{first + bytes_of(std::int64_t{1}), text_bytes("x", 4)},
                                                    {second + bytes_of(std::int64_t{2}), text_bytes("y", 4)}}),
            "a, 1=x a, 2=y");
}

TEST(ReadMap, TuplesLookAtNumbersAndStringsFirst) {
  // (pointer, int): the number decides, the pointer only between equals.
  const auto key = lang::make_tuple({lang::make_pointer(lang::make_void(), lang::AddressSpace::User), lang::make_int64()});
  std::vector<MapElement> elements;
  for (const auto& [pointer, number] : std::initializer_list<std::pair<std::uint64_t, std::int64_t>>{{0x1, 9}, {0x300, 2}, {0x2, 2}}) {
    elements.push_back({bytes_of(pointer, number), text_bytes("", 4)});
  }
  EXPECT_EQ(shown(entry(lang::make_string(4), key), elements), "0x2, 2= 0x300, 2= 0x1, 9=");
}

// ---- aggregates ----

/// One element whose copies hold these states.
MapElement per_cpu(std::int64_t key, std::initializer_list<std::vector<std::uint64_t>> copies) {
  MapElement element{bytes_of(key), {}};
  for (const auto& words : copies) {
    for (const std::uint64_t word : words) element.values = element.values + bytes_of(word);
  }
  return element;
}

TEST(ReadMap, CopiesOfTheCpusAreMerged) {
  const auto keyed = [](TypeKind kind) { return entry(lang::make_aggregate(kind, true), lang::make_int64()); };
  EXPECT_EQ(shown(keyed(TypeKind::Count), {per_cpu(1, {{3}, {4}}), per_cpu(2, {{1}, {0}})}), "2=1 1=7");
  EXPECT_EQ(shown(keyed(TypeKind::Sum), {per_cpu(1, {{negative(-5)}, {2}}), per_cpu(2, {{negative(-9)}, {0}})}), "2=-9 1=-3");
  for (const TypeKind kind : {TypeKind::Min, TypeKind::Max}) {
    const auto seen = [kind](std::int64_t value) -> std::vector<std::uint64_t> {
      return {lang::rank_of(lang::make_aggregate(kind, true), static_cast<std::uint64_t>(value)), 1};
    };
    EXPECT_EQ(shown(keyed(kind), {per_cpu(1, {seen(5), seen(7)}), per_cpu(2, {{0, 0}, seen(-9)})}), kind == TypeKind::Min ? "2=-9 1=5" : "2=-9 1=7");
  }
  EXPECT_EQ(shown(keyed(TypeKind::Avg), {per_cpu(1, {{3, 1}, {6, 1}}), per_cpu(2, {{negative(-9), 2}, {0, 0}})}), "2=-4 1=4");
  EXPECT_EQ(shown(keyed(TypeKind::Stats), {per_cpu(1, {{12, 2}, {0, 0}}), per_cpu(2, {{5, 1}, {0, 0}})}),
            "2={ .count = 1, .average = 5, .total = 5 } 1={ .count = 2, .average = 6, .total = 12 }");
}

TEST(ReadMap, CompatibleOrderTakesMinAndMaxAsUnsignedAndKeysAsSigned) {
  DecodeContext compatible;
  compatible.settings.compat = true;
  const auto least = [](std::int64_t value) -> std::vector<std::uint64_t> {
    return {lang::rank_of(lang::make_aggregate(TypeKind::Min, true), static_cast<std::uint64_t>(value)), 1};
  };
  const auto map = entry(lang::make_aggregate(TypeKind::Min, true), lang::make_int64());
  const std::vector<MapElement> elements{per_cpu(1, {least(5)}), per_cpu(2, {least(-9)})};
  EXPECT_EQ(shown(map, elements), "2=-9 1=5");
  EXPECT_EQ(shown(map, elements, {}, compatible), "1=5 2=-9");
  const auto texts = entry(lang::make_string(2), lang::make_uint64());
  const std::vector<MapElement> huge{{.key = bytes_of(negative(-1)), .values = text_bytes("a", 2)}, {.key = bytes_of(std::uint64_t{1}), .values = text_bytes("b", 2)}};
  EXPECT_EQ(shown(texts, huge), "1=b 18446744073709551615=a");
  EXPECT_EQ(shown(texts, huge, {}, compatible), "18446744073709551615=a 1=b");
}

TEST(ReadMap, HistogramsAreSortedByTheirTotal) {
  const auto type = lang::make_linear_histogram(0, 2, 1);
  const auto dump = read_map(entry(type, lang::make_int64()), {per_cpu(1, {{0, 5, 0, 0}, {0, 0, 1, 0}}), per_cpu(2, {{0, 0, 1, 0}, {0, 0, 1, 0}})}, {});
  ASSERT_EQ(dump.entries.size(), 2U);
  EXPECT_EQ(to_text(dump.entries[0].first), "2");
  const auto rows = std::get<std::shared_ptr<output::Histogram>>(dump.entries[1].second.data)->buckets;   // a copy: entries are made when they are asked for
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].count, 5U);
  EXPECT_EQ(rows[1].count, 1U);
}

// ---- scalars ----

TEST(ReadMap, Scalars) {
  const auto map = entry(lang::make_int64());
  EXPECT_EQ(shown(map, {{bytes_of(std::uint32_t{0}), bytes_of(std::int64_t{-1}, std::uint64_t{1})}}), "-1");
}

TEST(ReadMap, AScalarThatWasNeverSet) {
  const auto unset = [](const lang::Type& type, bool at_exit) {
    const auto map = entry(type);
    return shown(map, {{bytes_of(std::uint32_t{0}), ByteVector(Engine::stride(map.value_size) * (map.per_cpu ? 2 : 1))}}, {.at_exit = at_exit});
  };
  EXPECT_EQ(unset(lang::make_int64(), false), "0");
  EXPECT_EQ(unset(lang::make_string(8), false), "");
  EXPECT_EQ(unset(lang::make_tuple({lang::make_int64(), lang::make_string(8)}), false), "(0, )");
  EXPECT_EQ(unset(lang::make_aggregate(TypeKind::Count, true), false), "0");
  EXPECT_EQ(unset(lang::make_aggregate(TypeKind::Stats, true), false), "{ .count = 0, .average = 0, .total = 0 }");
  for (const auto& type : {lang::make_int64(), lang::make_aggregate(TypeKind::Count, true)}) {
    const auto map = entry(type);
    EXPECT_TRUE(read_map(map, {}, {}, {.at_exit = true}).entries.empty());
  }
  EXPECT_TRUE(read_map(entry(lang::make_histogram(0)), {}, {}).entries.empty());
}

TEST(ReadMap, AScalarSetToZeroIsThereAtTheEnd) {
  const auto map = entry(lang::make_int64());
  EXPECT_EQ(shown(map, {{bytes_of(std::uint32_t{0}), bytes_of(std::int64_t{0}, std::uint64_t{1})}}, {.at_exit = true}), "0");
}

TEST(ReadMap, OnlyTheCopiesThatWereSetCount) {
  const auto map = entry(lang::make_aggregate(TypeKind::Count, true));
  // { n, presence } on each CPU
  EXPECT_EQ(shown(map, {per_cpu(0, {{2, 1}, {99, 0}, {3, 1}})}), "5");
}

TEST(ReadMap, AZeroedHistogramIsThereButEmpty) {
  const auto map = entry(lang::make_linear_histogram(0, 2, 1));
  const auto dump = read_map(map, {per_cpu(0, {{0, 0, 0, 0, 1}})}, {});
  ASSERT_EQ(dump.entries.size(), 1U);
  EXPECT_TRUE(std::get<std::shared_ptr<output::Histogram>>(dump.entries[0].second.data)->buckets.empty());
}

// ---- top and div ----

TEST(ReadMap, TopKeepsTheLargest) {
  const auto map = entry(lang::make_int64(), lang::make_int64());
  const auto elements = numbered<std::int64_t>({{1, 10}, {2, 30}, {3, 20}});
  EXPECT_EQ(shown(map, elements, {.top = 2}), "3=20 2=30");
  EXPECT_EQ(shown(map, elements, {.top = 0}), "1=10 3=20 2=30");
  EXPECT_EQ(shown(map, elements, {.top = 99}), "1=10 3=20 2=30");
  EXPECT_EQ(shown(entry(lang::make_int64()), {{bytes_of(std::uint32_t{0}), bytes_of(std::int64_t{5}, std::uint64_t{1})}}, {.top = 1}), "5");
}

TEST(ReadMap, Divisors) {
  EXPECT_EQ(shown(entry(lang::make_int64(), lang::make_int64()), numbered<std::int64_t>({{1, -1000}, {2, 999}}), {.divisor = 1000}), "1=-1 2=0");
  EXPECT_EQ(shown(entry(lang::make_integer(8, true), lang::make_int64()), numbered<std::int8_t>({{1, 100}}), {.divisor = 256}), "1=0");
  EXPECT_EQ(shown(entry(lang::make_int64(), lang::make_int64()), numbered<std::int64_t>({{1, 7}}), {.divisor = 0}), "1=7");
  const auto nested = lang::make_tuple({lang::make_int64(), lang::make_string(8), lang::make_tuple({lang::make_int64()})});
  EXPECT_EQ(shown(entry(nested, lang::make_int64()), {{bytes_of(std::int64_t{1}), bytes_of(std::int64_t{10}) + text_bytes("s", 8) + bytes_of(std::int64_t{20})}},
                  {.divisor = 10}),
            "1=(1, s, (2))");
  EXPECT_EQ(shown(entry(lang::make_aggregate(TypeKind::Avg, true), lang::make_int64()), {per_cpu(1, {{100, 2}})}, {.divisor = 10}), "1=5");
}

TEST(ReadMap, HistogramCountsAreDividedLinearOnesAreNot) {
  const auto count_of = [](const lang::Type& type, const MapElement& element) {
    const auto dump = read_map(entry(type, lang::make_int64()), {element}, {}, {.divisor = 10});
    const auto kept = std::get<std::shared_ptr<output::Histogram>>(dump.entries[0].second.data);
    const output::Histogram& histogram = *kept;
    return histogram.buckets.at(0).count / histogram.divisor;
  };
  std::vector<std::uint64_t> words(lang::histogram_buckets(0));
  words[1] = 50;
  EXPECT_EQ(count_of(lang::make_histogram(0), per_cpu(1, {words})), 5U);
  EXPECT_EQ(count_of(lang::make_linear_histogram(0, 2, 1), per_cpu(1, {{0, 50, 0, 0}})), 50U);
}

// ---- damage ----

TEST(ReadMap, ShortElements) {
  for (const auto& type : {lang::make_int64(), lang::make_string(8), lang::make_aggregate(TypeKind::Stats, true), lang::make_histogram(0)}) {
    const std::vector<MapElement> elements = {{{}, {}}, {bytes_of(std::uint8_t{1}), bytes_of(std::uint8_t{1})}};
    EXPECT_LE(read_map(entry(type, lang::make_int64()), elements, {}).entries.size(), 2U);
    EXPECT_LE(read_map(entry(type), elements, {}).entries.size(), 1U);
  }
}

}  // namespace
}  // namespace trc::runtime
