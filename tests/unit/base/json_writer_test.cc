#include "base/json_writer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace trc {
namespace {

TEST(JsonWriter, SeparatorsOfObjectsAndArrays) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("map").key("data").begin_object().key("@").begin_array();
  json.number(1).number(-2).begin_array().end_array().end_array().end_object().end_object();
  EXPECT_EQ(out, R"({"type": "map", "data": {"@": [1,-2,[]]}})");
  EXPECT_TRUE(json.complete());
}

TEST(JsonWriter, EscapesAndRepairsText) {
  std::string out;
  JsonWriter(out).string(std::string_view("\"\\\n\r\t\0\x1b\x7f/\xC3\xA4\xff", 12));
  EXPECT_EQ(out, "\"\\\"\\\\\\n\\r\\t\\u0000\\u001b\\u007f/\xC3\xA4\xEF\xBF\xBD\"");
}

TEST(JsonWriter, Numbers) {
  std::string out;
  JsonWriter json(out);
  json.begin_array().number(std::numeric_limits<std::uint64_t>::max()).number(std::numeric_limits<std::int64_t>::min());
  json.number(0.5).number(std::numeric_limits<double>::infinity()).boolean(true).null().raw("{}").end_array();
  EXPECT_EQ(out, "[18446744073709551615,-9223372036854775808,0.5,null,true,null,{}]");
}

TEST(JsonWriter, CompleteOnlyWhenEverythingIsClosed) {
  std::string out;
  JsonWriter json(out);
  EXPECT_FALSE(json.complete());
  json.begin_array();
  EXPECT_FALSE(json.complete());
  json.end_array();
  EXPECT_TRUE(json.complete());
}

TEST(JsonWriterDeathTest, AValueWithoutItsKeyIsABug) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  EXPECT_DEATH(json.number(1), "internal error");
}

}  // namespace
}  // namespace trc
