#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "output/histogram.h"
#include "unit/output/capture.h"
#include "unit/output/values.h"

namespace trc::output {
namespace {

/// The lines of a sink; each is checked to be JSON by somebody else's reader.
std::string checked(Capture& out) {
  const std::string text = out.finish();
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = text.find('\n', start);
    EXPECT_NE(end, std::string::npos);
    EXPECT_TRUE(nlohmann::json::accept(text.substr(start, end - start))) << text;
    start = end + 1;
  }
  return text;
}

std::string value_line(const Value& value) {
  Capture out("json");
  out->value(value);
  return checked(out);
}

std::string map_line(const MapDump& dump, std::string_view format = "json") {
  Capture out(format);
  out->map(dump);
  return checked(out);
}

TEST(JsonSink, TextLines) {
  Capture out("json");
  out->attached(1);
  out->text("a 5\n");
  out->time("01\n");
  out->join("a b");
  out->lost(3);
  out->truncated_stacks({.probe = "uprobe:a:f", .stacks = 9, .reasons = {{"limit of frames reached", 2}}});
  out->end_of_run();
  EXPECT_EQ(checked(out),
            "{\"type\": \"attached_probes\", \"count\": 1, \"data\": {\"probes\": 1}}\n"
            "{\"type\": \"printf\", \"data\": \"a 5\\n\"}\n"
            "{\"type\": \"time\", \"data\": \"01\\n\"}\n"
            "{\"type\": \"join\", \"data\": \"a b\"}\n"
            "{\"type\": \"lost_events\", \"count\": 3, \"data\": {\"events\": 3}}\n"
            "{\"type\": \"truncated_stacks\", \"data\": {\"probe\": \"uprobe:a:f\", \"stacks\": 9, \"reasons\": {\"limit of frames reached\": 2}}}\n");
  EXPECT_EQ(out.messages(), "");
}

TEST(JsonSink, Values) {
  EXPECT_EQ(value_line(integer(7)), "{\"type\": \"value\", \"data\": 7}\n");
  EXPECT_EQ(value_line(boolean(true)), "{\"type\": \"value\", \"data\": true}\n");
  EXPECT_EQ(value_line(tuple({integer(1), string("two"), array({integer(3), integer(4)})})),
            "{\"type\": \"value\", \"data\": [1,\"two\",[3,4]]}\n");
  EXPECT_EQ(value_line(record({{"x", integer(1)}, {"name", string("bob")}})), "{\"type\": \"value\", \"data\": {\"x\": 1, \"name\": \"bob\"}}\n");
  EXPECT_EQ(value_line(buffer("a\x80")), "{\"type\": \"value\", \"data\": [97,-128]}\n");
  EXPECT_EQ(value_line(pointer(0xff)), "{\"type\": \"value\", \"data\": 255}\n");
  EXPECT_EQ(value_line({lang::TypeKind::Void, {}}), "{\"type\": \"value\", \"data\": null}\n");
  EXPECT_EQ(value_line(string("abc", true)), "{\"type\": \"value\", \"data\": \"abc..\"}\n");
  EXPECT_EQ(value_line(kernel_stack("\n        f+1\n")), "{\"type\": \"value\", \"data\": \"\\n        f+1\\n\"}\n");
}

TEST(JsonSink, NumbersThatADoubleCannotHoldAreStrings) {
  EXPECT_EQ(value_line(integer(9007199254740992)), "{\"type\": \"value\", \"data\": 9007199254740992}\n");
  EXPECT_EQ(value_line(integer(9007199254740993)), "{\"type\": \"value\", \"data\": \"9007199254740993\"}\n");
  EXPECT_EQ(value_line(unsigned_integer(UINT64_MAX)), "{\"type\": \"value\", \"data\": \"18446744073709551615\"}\n");
  EXPECT_EQ(value_line(integer(INT64_MAX)), "{\"type\": \"value\", \"data\": \"9223372036854775807\"}\n");
  EXPECT_EQ(value_line(integer(INT64_MIN)), "{\"type\": \"value\", \"data\": -9223372036854775808}\n");
  EXPECT_EQ(value_line(unsigned_integer(std::uint64_t{1} << 63)), "{\"type\": \"value\", \"data\": 9223372036854775808}\n");
}

TEST(JsonSink, AnyBytesAreValidJson) {
  EXPECT_EQ(value_line(string("\"\\\n\r\t\x01")), "{\"type\": \"value\", \"data\": \"\\\"\\\\\\n\\r\\t\\u0001\"}\n");
  EXPECT_EQ(value_line(string("\xc3\xa9")), "{\"type\": \"value\", \"data\": \"\xc3\xa9\"}\n");
  EXPECT_EQ(value_line(string("\xc3(")), "{\"type\": \"value\", \"data\": \"\xef\xbf\xbd(\"}\n");
  std::string all;
  for (int byte = 1; byte < 256; byte++) all += static_cast<char>(byte);
  EXPECT_FALSE(value_line(string(all)).empty());
  EXPECT_FALSE(map_line(keyed("@", {{string(all), string(all)}})).empty());
}

TEST(JsonSink, Maps) {
  EXPECT_EQ(map_line(scalar("@a", integer(1))), "{\"type\": \"map\", \"data\": {\"@a\": 1}}\n");
  EXPECT_EQ(map_line(keyed("@b", {{tuple({string("x"), integer(2)}), integer(3)}, {tuple({string("y"), integer(1)}), integer(5)}})),
            "{\"type\": \"map\", \"data\": {\"@b\": {\"x,2\": 3, \"y,1\": 5}}}\n");
  EXPECT_EQ(map_line(keyed("@c", {{tuple({tuple({integer(1), integer(2)}), integer(3)}), integer(4)}})),
            "{\"type\": \"map\", \"data\": {\"@c\": {\"(1,2),3\": 4}}}\n");
  EXPECT_EQ(map_line(keyed("@d", {{record({{"a", integer(1)}, {"b", integer(2)}}), integer(5)}})),
            "{\"type\": \"map\", \"data\": {\"@d\": {\"{.a=1,.b=2}\": 5}}}\n");
  EXPECT_EQ(map_line(keyed("@e", {{string("a b"), integer(5)}})), "{\"type\": \"map\", \"data\": {\"@e\": {\"ab\": 5}}}\n");
  EXPECT_EQ(map_line(scalar("@st", stats(1, 4, 4))),
            "{\"type\": \"stats\", \"data\": {\"@st\": {\"count\": 1, \"average\": 4, \"total\": 4}}}\n");
  EXPECT_EQ(map_line(scalar("@av", {lang::TypeKind::Avg, std::int64_t{3}})), "{\"type\": \"stats\", \"data\": {\"@av\": 3}}\n");
  EXPECT_EQ(map_line(keyed("@none", {})), "");
}

TEST(JsonSink, ValueOfAScalarMap) {
  Capture out("json");
  out->map_value("@x", integer(-1));
  EXPECT_EQ(checked(out), "{\"type\": \"map\", \"data\": {\"@x\": -1}}\n");
}

TEST(JsonSink, Histograms) {
  const std::vector<std::uint64_t> words = {1, 1, 0, 0, 2};
  const Value hist{lang::TypeKind::Histogram, make_histogram(lang::make_histogram(0), words)};
  const std::string rows =
      "[{\"max\": -1, \"count\": 1},{\"min\": 0, \"max\": 0, \"count\": 1},{\"min\": 1, \"max\": 1, \"count\": 0},"
      "{\"min\": 2, \"max\": 3, \"count\": 0},{\"min\": 4, \"max\": 7, \"count\": 2}]";
  EXPECT_EQ(map_line(scalar("@h", hist)), "{\"type\": \"hist\", \"data\": {\"@h\": " + rows + "}}\n");
  EXPECT_EQ(map_line(keyed("@k", {{string("x"), hist}})), "{\"type\": \"hist\", \"data\": {\"@k\": {\"x\": " + rows + "}}}\n");

  const std::vector<std::uint64_t> linear = {1, 1, 1};
  const Value lhist{lang::TypeKind::LinearHistogram, make_histogram(lang::make_linear_histogram(0, 1024, 1024), linear)};
  EXPECT_EQ(map_line(scalar("@l", lhist)),
            "{\"type\": \"hist\", \"data\": {\"@l\": [{\"max\": -1, \"count\": 1},{\"min\": 0, \"max\": 1023, \"count\": 1},"
            "{\"min\": 1024, \"count\": 1}]}}\n");
}

TEST(JsonSink, Errors) {
  Capture out("json");
  out->error({"stdin:1:129-140", "line", "~~"}, "Map full; can't update element.", "map_update_elem", -7);
  out->error({"dir/a:b.bt:3-4", "", ""}, "bad 5", "", 0);
  out->error({}, "no place", "", 0);
  EXPECT_EQ(checked(out),
            "{\"type\": \"helper_error\", \"msg\": \"Argument list too long\", \"helper\": \"map_update_elem\", \"retcode\": -7, "
            "\"filename\": \"stdin\", \"line\": 1, \"col\": 129}\n"
            "{\"type\": \"runtime_error\", \"msg\": \"bad 5\", \"filename\": \"dir/a:b.bt\", \"line\": 3, \"col\": 1}\n"
            "{\"type\": \"runtime_error\", \"msg\": \"no place\", \"filename\": \"\", \"line\": 0, \"col\": 0}\n");
  EXPECT_EQ(out.messages(), "");
}

TEST(JsonSink, EnumeratorsAreNumbersAndAsKeysNames) {
  const Value red{lang::TypeKind::Integer, Named{"RED", 7}};
  Capture out("json");
  out->value(red);
  out->value({lang::TypeKind::Integer, Named{"NONE", ~std::uint64_t{0}}});
  EXPECT_EQ(checked(out), "{\"type\": \"value\", \"data\": 7}\n{\"type\": \"value\", \"data\": -1}\n");
  EXPECT_EQ(map_line(keyed("@e", {{red, red}})), "{\"type\": \"map\", \"data\": {\"@e\": {\"RED\": 7}}}\n");
  EXPECT_EQ(map_line(keyed("@e", {{red, red}}), "jsonl"),
            "{\"type\": \"map\", \"version\": 2, \"data\": {\"@e\": [{\"key\": [\"RED\"], \"value\": \"RED\"}]}}\n");
}

TEST(JsonSink, PointsOfTimeSeriesHaveNoBlanks) {
  auto series = std::make_shared<TimeSeries>();
  series->rows = {{0, 5}, {1'000'000'000, std::nullopt}, {2'000'000'000, ~std::uint64_t{0}}};
  const std::string line = map_line(scalar("@t", {lang::TypeKind::TimeSeries, series}));
  EXPECT_THAT(line, testing::HasSubstr("{\"type\": \"tseries\", \"data\": {\"@t\": [{\"interval_start\":\""));
  EXPECT_THAT(line, testing::HasSubstr("00.000000000\",\"value\":5},{\"interval_start\":\""));
  EXPECT_THAT(line, testing::HasSubstr(",\"value\":null},{"));
  EXPECT_THAT(line, testing::HasSubstr(",\"value\":-1}]}}\n"));
  EXPECT_THAT(map_line(scalar("@t", {lang::TypeKind::TimeSeries, series}), "jsonl"), testing::HasSubstr("00.000000000\", \"value\": 5},{"));
}

TEST(JsonlSink, MendsWhatLosesInformation) {
  EXPECT_EQ(map_line(keyed("@e", {{string("a b"), integer(5)}, {tuple({integer(1), string("x,y")}), integer(6)}}), "jsonl"),
            "{\"type\": \"map\", \"version\": 2, \"data\": {\"@e\": [{\"key\": [\"a b\"], \"value\": 5},{\"key\": [1,\"x,y\"], \"value\": 6}]}}\n");
  EXPECT_EQ(map_line(scalar("@av", {lang::TypeKind::Avg, std::int64_t{3}}), "jsonl"),
            "{\"type\": \"avg\", \"version\": 2, \"data\": {\"@av\": 3}}\n");
  Capture out("jsonl");
  out->value(buffer("\x80"));
  EXPECT_EQ(checked(out), "{\"type\": \"value\", \"version\": 2, \"data\": [128]}\n");
}

}  // namespace
}  // namespace trc::output
