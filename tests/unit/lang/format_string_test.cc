#include "lang/format_string.h"

#include <gtest/gtest.h>

namespace trc::lang {
namespace {

FormatPiece only(std::string_view text) {
  const FormatString format = parse_format(text);
  EXPECT_EQ(format.pieces.size(), 2u) << text;
  EXPECT_TRUE(format.pieces.at(0).has_conversion) << text;
  EXPECT_EQ(format.pieces.at(0).begin, 0u);
  EXPECT_EQ(format.pieces.at(0).end, text.size());
  return format.pieces.at(0);
}

/// The format put together again; what is not a conversion must come out as it went in.
std::string literals(std::string_view text) {
  std::string all;
  for (const FormatPiece& piece : parse_format(text).pieces) all += piece.literal + (piece.has_conversion ? "{}" : "");
  return all;
}

TEST(FormatString, LiteralsAndPercents) {
  EXPECT_EQ(literals("a %d b%% %s"), "a {} b% {}");
  EXPECT_EQ(literals(""), "");
  EXPECT_EQ(literals(std::string_view("a\0%d\0", 5)), std::string("a\0{}\0", 5));
  EXPECT_EQ(parse_format("100%%").arguments(), 0u);
  const FormatString format = parse_format("ab%dc");
  ASSERT_EQ(format.pieces.size(), 2u);
  EXPECT_EQ(format.pieces[0].begin, 2u);
  EXPECT_EQ(format.pieces[0].end, 4u);
  EXPECT_FALSE(format.pieces[1].has_conversion);
  EXPECT_EQ(format.pieces[1].literal, "c");
}

TEST(FormatString, EveryConversion) {
  const std::vector<std::pair<const char*, Conversion>> rows = {
      {"%d", Conversion::Signed},  {"%i", Conversion::Signed},        {"%u", Conversion::Unsigned},          {"%x", Conversion::Hex},
      {"%X", Conversion::HexUpper}, {"%o", Conversion::Octal},        {"%c", Conversion::Char},              {"%s", Conversion::String},
      {"%p", Conversion::Pointer}, {"%r", Conversion::BufferEscaped}, {"%rx", Conversion::BufferEscapedAll}, {"%rh", Conversion::BufferHex},
      {"%gr", Conversion::BufferRaw}};
  for (const auto& [text, conversion] : rows) {
    EXPECT_EQ(only(text).conversion, conversion) << text;
    EXPECT_EQ(only(text).letter, text[1]) << text;
    EXPECT_EQ(parse_format(text).arguments(), 1u) << text;
  }
}

TEST(FormatString, LengthsGiveTheBitsShown) {
  EXPECT_EQ(only("%hhd").bits, 8);
  EXPECT_EQ(only("%hd").bits, 16);
  EXPECT_EQ(only("%d").bits, 32);
  for (const char* text : {"%ld", "%lld", "%Ld", "%jd", "%zd", "%td", "%lx", "%p"}) EXPECT_EQ(only(text).bits, 64) << text;
}

TEST(FormatString, FlagsInAnyOrder) {
  for (const char* text : {"%-+ #05d", "%0# +-5d", "%#0-+ 5d"}) {
    const FormatPiece piece = only(text);
    EXPECT_TRUE(piece.left && piece.plus && piece.space && piece.alternate && piece.zero) << text;
    EXPECT_EQ(piece.width, 5) << text;
  }
  const FormatPiece none = only("%5d");
  EXPECT_FALSE(none.left || none.plus || none.space || none.alternate || none.zero);
}

TEST(FormatString, WidthAndPrecision) {
  EXPECT_EQ(only("%d").width, -1);
  EXPECT_EQ(only("%d").precision, -1);
  EXPECT_EQ(only("%10.3s").width, 10);
  EXPECT_EQ(only("%10.3s").precision, 3);
  EXPECT_EQ(only("%.d").precision, 0);
  EXPECT_EQ(only("%*d").width, -2);
  EXPECT_EQ(only("%-*.*s").precision, -2);
  EXPECT_EQ(parse_format("%*d").arguments(), 2u);
  EXPECT_EQ(parse_format("%-*.*s %d").arguments(), 4u);
  EXPECT_EQ(only("%99999999999999999999d").width, 65535);
}

TEST(FormatString, UnsupportedAndUnknown) {
  for (const char* text : {"%f", "%5.2f", "%e", "%g", "%a", "%n", "%lf", "%E"}) {
    const FormatString format = parse_format(text);
    EXPECT_EQ(format.unsupported, std::string(1, text[std::string_view(text).size() - 1])) << text;
    EXPECT_EQ(format.arguments(), 0u) << text;
  }
  EXPECT_EQ(parse_format("%e %f").unsupported, "e");
  for (const char* text : {"%z", "%", "50% yes", "%-", "%5", "%l", "%y", "%."}) {
    EXPECT_EQ(literals(text), text);
    EXPECT_EQ(parse_format(text).arguments(), 0u) << text;
    EXPECT_EQ(parse_format(text).unsupported, "") << text;
  }
  EXPECT_EQ(literals("%z %d"), "%z {}");
  EXPECT_EQ(literals("100% d"), "100{}");  // as in C: the space is a flag
}

}  // namespace
}  // namespace trc::lang
