#include "cli/options.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace trc::cli {
namespace {

Result<Options> parse(std::initializer_list<const char*> words) {
  std::vector<std::string> copy{"trc"};
  copy.insert(copy.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& w : copy) argv.push_back(w.data());
  argv.push_back(nullptr);
  return parse_options(static_cast<int>(copy.size()), argv.data());
}

std::string error_of(std::initializer_list<const char*> words) {
  Result<Options> r = parse(words);
  return r ? "accepted" : r.error().message();
}

TEST(Options, TheLastProgramTextWins) {
  auto o = parse({"-e", "begin {}", "-e", "end {}"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->program_text, "end {}");
}

TEST(Options, AProgramTextLeavesEveryWordToTheParameters) {
  auto o = parse({"-e", "begin {}", "one", "-v", "two"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->positionals, (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(o->verbose);
  EXPECT_EQ(o->file, "");
}

TEST(Options, WithoutAProgramTextTheFirstWordIsTheScript) {
  auto o = parse({"s.trc", "one", "-q"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->file, "s.trc");
  EXPECT_EQ(o->positionals, std::vector<std::string>{"one"});
  EXPECT_TRUE(o->quiet);
}

TEST(Options, StandardInputIsADash) {
  auto o = parse({"-", "one"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->file, "-");
}

TEST(Options, WordsAfterTheDoubleDashAreParametersEvenWithADash) {
  auto o = parse({"-e", "begin {}", "--", "-5"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->positionals, std::vector<std::string>{"-5"});
}

TEST(Options, NamedParametersStandBehindTheDashes) {
  auto o = parse({"-e", "begin {}", "one", "--", "--limit=5", "two", "--flag", "--text=a=b"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->named, (std::map<std::string, std::string>{{"limit", "5"}, {"flag", ""}, {"text", "a=b"}}));
  EXPECT_EQ(o->positionals, (std::vector<std::string>{"one", "two"}));
  EXPECT_FALSE(o->script_help);
  EXPECT_TRUE(parse({"x.bt", "--", "--help"})->script_help);
  EXPECT_FALSE(parse({"-e", "begin {}", "--nosuch"}));
}

TEST(Options, AnAngleBlockIsNotMistakenForAnOption) {
  auto o = parse({"-e", "uprobe:python3:* < @ = max(len(ustack)) >", "-c", "python3 x.py"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->command, "python3 x.py");
}

TEST(Options, PidsAreChecked) {
  EXPECT_EQ(error_of({"-e", "begin {}", "-p", "abc"}), "Failed to parse pid: invalid integer: abc");
  EXPECT_EQ(error_of({"-e", "begin {}", "-p", "99999999"}), "Pid out of range: 99999999");
  EXPECT_EQ(error_of({"-e", "begin {}", "-p", "123456789012345678901234567890"}), "Pid out of range: 123456789012345678901234567890");
  auto o = parse({"-e", "begin {}", "-p", "12"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->pid, 12);
}

TEST(Options, ConflictsAreNamed) {
  EXPECT_EQ(error_of({"-e", "begin {}", "-p", "1", "-c", "true"}), "USAGE: Cannot use both -c and -p.");
  EXPECT_EQ(error_of({"-e", "begin {}", "-k", "--no-warnings"}), "USAGE: -k, --warnings conflicts with --no-warnings");
  EXPECT_EQ(error_of({"-e", "begin {}", "-B", "some"}), "USAGE: -B must be either 'line', 'full', or 'none'.");
  EXPECT_EQ(error_of({"-e", "begin {}", "--exit-with-child"}), "USAGE: --exit-with-child needs -c.");
  EXPECT_EQ(error_of({"-q"}), "USAGE: filename or -e 'program' required.");
}

TEST(Options, AnUnknownFormatListsTheValidOnes) {
  Result<Options> r = parse({"-e", "begin {}", "-f", "yaml"});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().message(), "Invalid output format \"yaml\"");
  EXPECT_EQ(r.error().hint().rfind("Valid formats: 'text', 'json'", 0), 0u) << r.error().hint();
}

TEST(Options, UnknownOptionsPointAtTheHelp) {
  Result<Options> r = parse({"-e", "begin {}", "--frobnicate"});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message().find("--frobnicate"), std::string::npos);
  EXPECT_EQ(r.error().hint().rfind("see trc --help", 0), 0u) << r.error().hint();
}

TEST(Options, MistypedOptionsNameTheNearest) {
  Result<Options> r = parse({"-e", "begin {}", "--foramt=json"});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().message(), "unrecognized option '--foramt=json'");
  EXPECT_EQ(r.error().hint(), "did you mean --format?");
}

TEST(Options, AnOptionWithoutItsValueSaysWhatItWants) {
  EXPECT_EQ(error_of({"-e", "begin {}", "-f"}), "the option --format needs a value: FORMAT");
  EXPECT_EQ(error_of({"-e"}), "the option -e needs a value: PROGRAM");
}

TEST(Options, TestsOrBenchmarksNotBoth) {
  EXPECT_TRUE(parse({"--test", "-e", "begin {}"})->test);
  EXPECT_TRUE(parse({"--bench", "-e", "begin {}"})->bench);
  EXPECT_EQ(error_of({"--test", "--bench", "-e", "begin {}"}), "USAGE: --bench conflicts with existing --test");
}

TEST(Options, DumpStagesAreChecked) {
  EXPECT_EQ(error_of({"-d", "foo", "-e", "begin {}"}), "invalid option for -d: foo");
  auto o = parse({"-d", "ast,typed", "-e", "begin {}"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->dumps, (std::vector<std::string>{"ast", "typed"}));
}

TEST(Options, HelpNamesEveryOptionInTheTable) {
  std::string text = help_text();
  for (const char* option : {"-e", "-l", "-p", "-c", "-o", "-f", "-B", "-q", "-v", "-k", "-d", "--dry-run", "--exit-with-child", "--stop-on-map", "--unsafe"})
    EXPECT_NE(text.find(option), std::string::npos) << option;
}

}  // namespace
}  // namespace trc::cli
