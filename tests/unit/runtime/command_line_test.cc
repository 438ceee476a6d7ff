#include "runtime/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace trc::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> words(std::string_view command) {
  auto result = split_command(command);
  return result ? *result : std::vector<std::string>{"error: " + result.error().message()};
}

TEST(SplitCommand, PartsAtBlanks) { EXPECT_THAT(words("  ls  -l\t/tmp "), ElementsAre("ls", "-l", "/tmp")); }
TEST(SplitCommand, SingleQuotesKeepEverything) { EXPECT_THAT(words(R"(sh -c 'echo "$A" \n')"), ElementsAre("sh", "-c", R"(echo "$A" \n)")); }
TEST(SplitCommand, DoubleQuotesKnowFourEscapes) {
  EXPECT_THAT(words(R"(a "b c\"d\\e\$f\`g\n")"), ElementsAre("a", R"(b c"d\e$f`g\n)"));
}
TEST(SplitCommand, QuotesJoinWithTheirNeighbours) { EXPECT_THAT(words(R"(a'b'"c"d)"), ElementsAre("abcd")); }
TEST(SplitCommand, EmptyQuotesAreAWord) { EXPECT_THAT(words("a '' \"\""), ElementsAre("a", "", "")); }
TEST(SplitCommand, BackslashKeepsTheNextCharacter) { EXPECT_THAT(words(R"(a\ b \'c\' \\)"), ElementsAre("a b", "'c'", "\\")); }
TEST(SplitCommand, BackslashNewlineJoinsLines) { EXPECT_THAT(words("a\\\nb \"c\\\nd\""), ElementsAre("ab", "cd")); }
TEST(SplitCommand, NothingIsExpanded) { EXPECT_THAT(words("echo $HOME * ~ `x`"), ElementsAre("echo", "$HOME", "*", "~", "`x`")); }
TEST(SplitCommand, AnOpenQuoteIsAnError) {
  EXPECT_THAT(words("a 'b"), ElementsAre(HasSubstr("a ' is not closed")));
  EXPECT_THAT(words("a \"b\\\""), ElementsAre(HasSubstr("a \" is not closed")));
}
TEST(SplitCommand, AnEmptyCommandIsAnError) { EXPECT_THAT(words(" \t"), ElementsAre(HasSubstr("empty"))); }

class FindExecutable : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/trc_path_XXXXXX";
    folder_ = ::mkdtemp(name);
    std::filesystem::create_directories(folder_ + "/one/tool");   // a folder of that name is passed over
    std::filesystem::create_directories(folder_ + "/two");
    std::filesystem::create_directories(folder_ + "/three");
    put("/two/tool", 0755);
    put("/three/tool", 0755);
    put("/two/plain", 0644);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void put(const std::string& path, mode_t mode) {
    std::ofstream(folder_ + path) << "#!/bin/sh\n";
    ::chmod((folder_ + path).c_str(), mode);
  }
  std::string path() const { return folder_ + "/one:" + folder_ + "/two:" + folder_ + "/three"; }
  std::string folder_;
};

TEST_F(FindExecutable, TheFirstOnPathCounts) { EXPECT_EQ(find_executable("tool", path()).value(), folder_ + "/two/tool"); }
TEST_F(FindExecutable, APathIsTakenAsItIs) { EXPECT_EQ(find_executable(folder_ + "/three/tool", "").value(), folder_ + "/three/tool"); }
TEST_F(FindExecutable, SaysThatItIsNowhere) {
  const auto result = find_executable("no-such-tool", path());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "cannot run 'no-such-tool': no such program in PATH");
}
TEST_F(FindExecutable, SaysWhatIsNotExecutable) {
  const auto result = find_executable("plain", path());
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("/two/plain: Permission denied"));
  EXPECT_THAT(find_executable("/etc", "").error().message(), HasSubstr("Is a directory"));
  EXPECT_THAT(find_executable("/nonexistent/x", "").error().message(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace trc::runtime
