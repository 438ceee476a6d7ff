#include "base/strings.h"

#include <gtest/gtest.h>

#include "base/glob.h"

namespace trc {
namespace {

using Words = std::vector<std::string>;

TEST(Strings, SplitKeepsEmptyParts) {
  EXPECT_EQ(split("a,,b", ','), (Words{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (Words{""}));
  EXPECT_EQ(split("a:", ':'), (Words{"a", ""}));
}

TEST(Strings, WordsAndTrim) {
  EXPECT_EQ(split_words("  a\t bc \n"), (Words{"a", "bc"}));
  EXPECT_TRUE(split_words(" \n").empty());
  EXPECT_EQ(trim("\v x y \r\n"), "x y");
  EXPECT_EQ(trim("   "), "");
}

TEST(Strings, JoinReplaceLower) {
  EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(replace_all("aXbXX", "X", "YX"), "aYXbYXYX");
  EXPECT_EQ(to_lower("KProbe_\xC3\x84"), "kprobe_\xC3\x84");
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1444), "1,444");
  EXPECT_EQ(with_thousands(1234567), "1,234,567");
}

TEST(Strings, ParseUnsigned) {
  EXPECT_EQ(parse_unsigned("0"), 0u);
  EXPECT_EQ(parse_unsigned("18446744073709551615"), 18446744073709551615u);
  EXPECT_EQ(parse_unsigned("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_unsigned("0xfF"), 255u);
  EXPECT_EQ(parse_unsigned("0b101"), 5u);
  EXPECT_EQ(parse_unsigned("0755"), 493u);
  for (const char* bad : {"", "0x", "0b", "08", "12a", "-1", " 1", "0b2"}) EXPECT_EQ(parse_unsigned(bad), std::nullopt) << bad;
}

TEST(Strings, Utf8) {
  EXPECT_EQ(to_valid_utf8("a\xC3\xA4\xF0\x9F\x99\x82"), "a\xC3\xA4\xF0\x9F\x99\x82");
  EXPECT_EQ(to_valid_utf8("\xff"), "\xEF\xBF\xBD");
  EXPECT_EQ(to_valid_utf8("\xC3"), "\xEF\xBF\xBD");              // cut short
  EXPECT_EQ(utf8_sequence_length("\xC0\x80"), 0u);               // overlong
  EXPECT_EQ(utf8_sequence_length("\xED\xA0\x80"), 0u);           // surrogate
  EXPECT_EQ(utf8_sequence_length("\xF4\x90\x80\x80"), 0u);       // above U+10FFFF
  EXPECT_EQ(utf8_sequence_length("\xF4\x8F\xBF\xBF"), 4u);
}

TEST(Glob, MatchesTheWholeText) {
  EXPECT_TRUE(glob_match("vfs_*", "vfs_read"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("*a*b", "xaxbab"));
  EXPECT_TRUE(glob_match("**", "x"));
  EXPECT_TRUE(glob_match("exact", "exact"));
  EXPECT_FALSE(glob_match("exact", "exactly"));
  EXPECT_FALSE(glob_match("", "x"));
  EXPECT_FALSE(glob_match("a*b", "acbc"));
  EXPECT_FALSE(glob_match("a?b", "axb"));     // only `*` is special
  EXPECT_FALSE(glob_match("[ab]", "a"));
  EXPECT_TRUE(glob_match("[ab]", "[ab]"));
}

TEST(Glob, ManyStarsAreNotExponential) {
  EXPECT_FALSE(glob_match("*a*a*a*a*a*a*a*a*a*a*a*b", std::string(20000, 'a')));
}

// An independent, obviously right (and slow) definition to compare with.
bool slow_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return slow_match(pattern.substr(1), text) || (!text.empty() && slow_match(pattern, text.substr(1)));
  }
  return !text.empty() && pattern[0] == text[0] && slow_match(pattern.substr(1), text.substr(1));
}

std::string nth_word(unsigned n, std::string_view alphabet, std::size_t length) {
  std::string word;
  for (std::size_t i = 0; i < length; i++, n /= static_cast<unsigned>(alphabet.size())) word += alphabet[n % alphabet.size()];
  return word;
}

TEST(Glob, AgreesWithTheDefinition) {
  for (unsigned p = 0; p < 243; p++) {
    for (unsigned t = 0; t < 64; t++) {
      const std::string pattern = nth_word(p, "ab*", 5), text = nth_word(t, "ab", 6);
      EXPECT_EQ(glob_match(pattern, text), slow_match(pattern, text)) << pattern << " " << text;
    }
  }
}

}  // namespace
}  // namespace trc
