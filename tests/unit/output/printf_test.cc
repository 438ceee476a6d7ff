#include "output/printf.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "unit/output/values.h"

namespace trc::output {
namespace {

using lang::Conversion;
using lang::FormatPiece;
using lang::FormatString;

/// One conversion between brackets.
FormatString bracketed(FormatPiece piece) {
  piece.literal = "[";
  piece.has_conversion = true;
  FormatString format;
  format.pieces = {piece, FormatPiece{.literal = "]"}};
  return format;
}

std::string print(const FormatPiece& piece, const std::vector<Value>& arguments) { return format_printf(bracketed(piece), arguments); }

/// The same conversion by the C library.
std::string libc_print(const FormatPiece& piece, char letter, std::uint64_t bits) {
  std::string format = "[%";
  if (piece.left) format += '-';
  if (piece.plus) format += '+';
  if (piece.space) format += ' ';
  if (piece.alternate) format += '#';
  if (piece.zero) format += '0';
  if (piece.width >= 0) format += std::to_string(piece.width);
  if (piece.precision >= 0) format += "." + std::to_string(piece.precision);
  format += piece.bits == 8 ? "hh" : piece.bits == 16 ? "h" : piece.bits == 64 ? "ll" : "";
  format += letter;
  format += "]";
  char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
  if (piece.bits == 64) std::snprintf(text, sizeof text, format.c_str(), static_cast<unsigned long long>(bits));
  else std::snprintf(text, sizeof text, format.c_str(), static_cast<unsigned>(bits));
#pragma GCC diagnostic pop
  return text;
}

TEST(Printf, IntegersAsTheCLibraryDoes) {
  const struct { Conversion conversion; char letter; } kConversions[] = {{Conversion::Signed, 'd'}, {Conversion::Unsigned, 'u'},
                                                                         {Conversion::Hex, 'x'}, {Conversion::HexUpper, 'X'},
                                                                         {Conversion::Octal, 'o'}};
  const std::uint64_t kValues[] = {0, 1, 5, 8, 255, 256, 0x7fffffff, 0x80000000, 0x100000000, 0xdeadbeefcafe, static_cast<std::uint64_t>(-3),
                                   static_cast<std::uint64_t>(INT64_MIN), static_cast<std::uint64_t>(INT64_MAX)};
  std::size_t compared = 0;
  for (const auto& [conversion, letter] : kConversions) {
    for (unsigned flags = 0; flags < 32; flags++) {
      for (const int width : {-1, 1, 6, 24}) {
        for (const int precision : {-1, 0, 1, 4, 20}) {
          for (const std::uint8_t bits : {8, 16, 32, 64}) {
            const FormatPiece piece{.conversion = conversion, .left = (flags & 1) != 0, .plus = (flags & 2) != 0, .space = (flags & 4) != 0,
                                    .alternate = (flags & 8) != 0, .zero = (flags & 16) != 0, .width = width, .precision = precision,
                                    .bits = bits};
            for (const std::uint64_t value : kValues) {
              ASSERT_EQ(print(piece, {integer(static_cast<std::int64_t>(value))}), libc_print(piece, letter, value));
              compared++;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 5U * 32 * 4 * 5 * 4 * 13);
}

TEST(Printf, NarrowsLikeC) {
  EXPECT_EQ(print({.conversion = Conversion::Signed}, {integer(4294967296)}), "[0]");
  EXPECT_EQ(print({.conversion = Conversion::Signed, .bits = 64}, {integer(4294967296)}), "[4294967296]");
  EXPECT_EQ(print({.conversion = Conversion::Signed, .bits = 8}, {integer(200)}), "[-56]");
  EXPECT_EQ(print({.conversion = Conversion::Signed, .bits = 16}, {integer(65535)}), "[-1]");
}

TEST(Printf, ZeroPaddingGoesBehindTheSign) {
  EXPECT_EQ(print({.conversion = Conversion::Signed, .zero = true, .width = 5}, {integer(-3)}), "[-0003]");
}

TEST(Printf, CompatiblePaddingAndPrecision) {
  const auto print = [](std::string_view format, const Value& value) {
    return format_printf(lang::parse_format(format), {value}, {.compat = true});
  };
  EXPECT_EQ(print("%05d", integer(-3)), "000-3");
  EXPECT_EQ(print("%6.2d", integer(5)), "     5");
  EXPECT_EQ(print("%.3s", string("abcdef")), "abcdef");
  EXPECT_EQ(print("%#06x", integer(255)), "000xff");
}

TEST(Printf, OnATerminalStringsOfOthersCannotDriveIt) {
  const auto print = [](const Value& value) { return format_printf(lang::parse_format("\x1b[1m%s"), {value}, {.harmless = true}); };
  EXPECT_EQ(print(string("a\x1b]0;t\a\r")), "\x1b[1ma\\x1b]0;t\\x07\\x0d");
  EXPECT_EQ(print(string("\xc2\x9b" "1m \xc3\xa4 \xff")), "\x1b[1m\\xc2\\x9b1m \xc3\xa4 \\xff");
}

TEST(Printf, OtherThingsAsNumbers) {
  EXPECT_EQ(print({.conversion = Conversion::Signed}, {boolean(true)}), "[1]");
  EXPECT_EQ(print({.conversion = Conversion::Hex, .alternate = true, .bits = 64}, {pointer(0xabc)}), "[0xabc]");
  EXPECT_EQ(print({.conversion = Conversion::Signed}, {string("x")}), "[0]");
}

TEST(Printf, Characters) {
  EXPECT_EQ(print({.conversion = Conversion::Char}, {integer('A')}), "[A]");
  EXPECT_EQ(print({.conversion = Conversion::Char, .width = 3}, {integer(256 + 'A')}), "[  A]");
  EXPECT_EQ(print({.conversion = Conversion::Char, .left = true, .width = 3}, {integer('A')}), "[A  ]");
  EXPECT_EQ(print({.conversion = Conversion::Char}, {integer(0)}), std::string("[\0]", 3));
}

TEST(Printf, Strings) {
  EXPECT_EQ(print({.conversion = Conversion::String}, {string("hello")}), "[hello]");
  EXPECT_EQ(print({.conversion = Conversion::String, .width = 8}, {string("hello")}), "[   hello]");
  EXPECT_EQ(print({.conversion = Conversion::String, .left = true, .width = 8}, {string("hello")}), "[hello   ]");
  EXPECT_EQ(print({.conversion = Conversion::String, .width = 8, .precision = 2}, {string("hello")}), "[      he]");
  EXPECT_EQ(print({.conversion = Conversion::String, .width = 4}, {string("\xc3\xa9")}), "[  \xc3\xa9]");  // width counts bytes
  EXPECT_EQ(print({.conversion = Conversion::String}, {string("abc", true)}), "[abc..]");
}

TEST(Printf, StringConversionTakesAnyValue) {
  EXPECT_EQ(print({.conversion = Conversion::String, .width = 4}, {integer(7)}), "[   7]");
  EXPECT_EQ(print({.conversion = Conversion::String}, {tuple({integer(1), string("a")})}), "[(1, a)]");
  EXPECT_EQ(print({.conversion = Conversion::String}, {kernel_stack("\n        leaf+0\n")}), "[\n        leaf+0\n]");
  EXPECT_EQ(print({.conversion = Conversion::String}, {record({{"x", integer(1)}})}), "[{ .x = 1 }]");
}

TEST(Printf, Pointers) {
  EXPECT_EQ(print({.conversion = Conversion::Pointer}, {pointer(0x7f00)}), "[0x7f00]");
  EXPECT_EQ(print({.conversion = Conversion::Pointer}, {integer(-1)}), "[0xffffffffffffffff]");
  EXPECT_EQ(print({.conversion = Conversion::Pointer}, {pointer(0)}), "[0]");
  EXPECT_EQ(print({.conversion = Conversion::Pointer, .width = 8}, {pointer(0x12)}), "[    0x12]");
}

TEST(Printf, Buffers) {
  const Value bytes = buffer("ab\x01");
  EXPECT_EQ(print({.conversion = Conversion::BufferEscaped}, {bytes}), "[ab\\x01]");
  EXPECT_EQ(print({.conversion = Conversion::BufferEscapedAll}, {bytes}), "[\\x61\\x62\\x01]");
  EXPECT_EQ(print({.conversion = Conversion::BufferHex}, {bytes}), "[61 62 01]");
  EXPECT_EQ(print({.conversion = Conversion::BufferHex, .width = 10}, {bytes}), "[  61 62 01]");
  EXPECT_EQ(print({.conversion = Conversion::BufferRaw}, {buffer("\xff\x01")}), "[\xff\x01]");
}

TEST(Printf, StarsTakeArguments) {
  const FormatPiece width{.conversion = Conversion::Signed, .width = -2};
  EXPECT_EQ(print(width, {integer(4), integer(7)}), "[   7]");
  EXPECT_EQ(print(width, {integer(-4), integer(7)}), "[7   ]");
  const FormatPiece both{.conversion = Conversion::String, .width = -2, .precision = -2};
  EXPECT_EQ(print(both, {integer(5), integer(2), string("hello")}), "[   he]");
  EXPECT_EQ(print(both, {integer(0), integer(-1), string("hello")}), "[hello]");
}

TEST(Printf, AnAbsurdWidthIsCapped) {
  const FormatPiece piece{.conversion = Conversion::Signed, .width = -2};
  EXPECT_EQ(print(piece, {integer(INT32_MAX), integer(7)}).size(), 64U * 1024 + 2);
  EXPECT_EQ(print(piece, {integer(INT32_MIN), integer(7)}).size(), 64U * 1024 + 2);
}

TEST(Printf, MissingArgumentsPrintNothing) {
  EXPECT_EQ(print({.conversion = Conversion::String}, {}), "[]");
  EXPECT_EQ(print({.conversion = Conversion::Signed}, {}), "[0]");
}

TEST(Printf, ParsedFormats) {
  const auto formatted = [](std::string_view format, const std::vector<Value>& arguments) {
    return format_printf(lang::parse_format(format), arguments);
  };
  EXPECT_EQ(formatted("%d%% of %s\n", {integer(50), string("it")}), "50% of it\n");
  EXPECT_EQ(formatted("%-8s|%+-5d|%05d|%#x|%6.2d|%.3s", {string("ab"), integer(7), integer(-3), integer(255), integer(5), string("abcdef")}),
            "ab      |+7   |-0003|0xff|    05|abc");
  EXPECT_EQ(formatted("%*d|%-*s|%.*s", {integer(4), integer(7), integer(3), string("x"), integer(2), string("hello")}), "   7|x  |he");
  EXPECT_EQ(formatted("%d %ld %lld %hhd %hu", {integer(4294967296), integer(4294967296), integer(-1), integer(257), integer(-1)}),
            "0 4294967296 -1 1 65535");
  EXPECT_EQ(formatted("%r %rx %rh", {buffer("a\1"), buffer("a\1"), buffer("a\1")}), "a\\x01 \\x61\\x01 61 01");
  EXPECT_EQ(formatted("%p %p [%s]", {pointer(0x7f00), pointer(0), kernel_stack("\n        leaf+0\n")}), "0x7f00 0 [\n        leaf+0\n]");
}

TEST(Printf, TextMayHoldNul) {
  FormatString format;
  format.pieces = {FormatPiece{.literal = std::string("a\0b", 3)}};
  EXPECT_EQ(format_printf(format, {}), std::string("a\0b", 3));
}

}  // namespace
}  // namespace trc::output
