// tests/check/<slug>/*.trc: scripts with mistakes. Below a line with one stands a comment that marks the place and names the diagnostic:
//
//   begin { pritn(1); }
//   //      ^^^^^ error: unknown-function: did you mean print
//
// (`// 1-6 error: …` where the comment itself would cover the column.) What follows the slug must occur in the message or the hint. Every report must be expected and every expectation met, and every code
// of source/diagnostics.def has a case in the folder of its slug.
#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>

#include "base/read_file.h"
#include "fixture.h"

namespace trc::ast {
namespace {

const std::filesystem::path kRoot = std::filesystem::path(TRC_SOURCE_DIR) / "tests" / "check";

struct Expectation {
  std::uint32_t line = 0, begin = 0, end = 0;   // columns, end exclusive
  std::string severity, slug, text;
};

std::string describe(const Expectation& e) {
  return std::to_string(e.line) + ":" + std::to_string(e.begin) + "-" + std::to_string(e.end) + " " + e.severity + ": " + e.slug;
}

/// "^^^ error: slug: text" or "7-9 error: slug: text" in a comment.
std::optional<Expectation> read_expectation(const std::string& line, std::uint32_t code_line) {
  static const std::regex kForm("//\\s*(\\^+|([0-9]+)-([0-9]+)) (error|warning): ([a-z-]+)(: (.*))?");
  std::smatch parts;
  if (!std::regex_match(line, parts, kForm)) return std::nullopt;
  Expectation e{.line = code_line, .severity = parts[4], .slug = parts[5], .text = parts[7]};
  const bool is_numbered = parts[2].matched;
  e.begin = is_numbered ? static_cast<std::uint32_t>(std::stoul(parts[2])) : static_cast<std::uint32_t>(parts.position(1) + 1);
  e.end = is_numbered ? static_cast<std::uint32_t>(std::stoul(parts[3])) : e.begin + static_cast<std::uint32_t>(parts.length(1));
  return e;
}

std::vector<Expectation> read_expectations(const std::string& text) {
  std::vector<Expectation> all;
  std::istringstream lines(text);
  std::string line;
  std::uint32_t code_line = 0;
  for (std::uint32_t number = 1; std::getline(lines, line); ++number) {
    if (auto e = read_expectation(line, code_line)) {
      all.push_back(*e);
    } else {
      code_line = number;
    }
  }
  return all;
}

Expectation place_of(const Diagnostic& d, const SourceFile& file) {
  const LineColumn begin = file.line_column(d.span.begin), end = file.line_column(d.span.end);
  return {begin.line, begin.column, begin.line == end.line ? end.column : 0, severity_of(d.code) == Severity::Error ? "error" : "warning", slug_of(d.code)};
}

bool matches(const Expectation& e, const Expectation& found, const Diagnostic& d) {
  const bool text = e.text.empty() || (d.message + "\n" + d.hint).find(e.text) != std::string::npos;
  // A report over several lines is marked where it begins.
  return text && e.line == found.line && e.begin == found.begin && (found.end == 0 || e.end == found.end) && e.severity == found.severity && e.slug == found.slug;
}

class CheckCase : public testing::TestWithParam<std::string> {};

TEST_P(CheckCase, ReportsWhatIsMarked) {
  const Result<std::string> text = read_file((kRoot / GetParam()).string());
  ASSERT_TRUE(text) << text.error().message();
  std::vector<Expectation> expected = read_expectations(*text);
  EXPECT_FALSE(expected.empty()) << "nothing is expected";
  const Outcome outcome = analyse_text(*text, run_options(*text));
  for (const Diagnostic& d : outcome.diags.all()) {
    const Expectation found = place_of(d, *outcome.script.sources.front());
    const auto it = std::find_if(expected.begin(), expected.end(), [&](const Expectation& e) { return matches(e, found, d); });
    if (it == expected.end()) {
      ADD_FAILURE() << "unexpected: " << describe(found) << ": " << d.message << " [" << d.hint << "]";
    } else {
      expected.erase(it);
    }
  }
  for (const Expectation& e : expected) ADD_FAILURE() << "not reported: " << describe(e) << " " << e.text;
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot)) {
    if (entry.path().extension() == ".trc") names.push_back(std::filesystem::relative(entry.path(), kRoot).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(0, info.param.size() - 4);
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Check, CheckCase, testing::ValuesIn(case_names()), test_name);

TEST(CheckCases, EveryDiagnosticHasOne) {
  const std::vector<std::string> names = case_names();
  for (const char* slug : {
#define TRC_DIAG(code, severity, slug) slug,
#include "source/diagnostics.def"
#undef TRC_DIAG
       }) {
    bool shown = false;
    for (const std::string& name : names) {
      if (!name.starts_with(std::string(slug) + "/")) continue;
      for (const Expectation& e : read_expectations(*read_file((kRoot / name).string()))) shown = shown || e.slug == slug;
    }
    EXPECT_TRUE(shown) << "tests/check/" << slug << " has no case that expects it";
  }
}

}  // namespace
}  // namespace trc::ast
