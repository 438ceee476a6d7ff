// Parses every tests/parse/**/*.trc and compares with what stands below the script in the same file:
//
//   begin { exit() }
//   === diagnostics          what render_text says, the file being called "case"
//   === tree                 ast::dump
//   === print                ast::print
//   === format               ast::format
//
// Each section may be left out, and no case may be without any. A script without diagnostics must have none, must survive parse(print())
// and parse(format()), and both must be stable. TRC_UPDATE_EXPECTED=1 writes the sections anew; look at the difference before believing it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "ast/print.h"
#include "base/read_file.h"
#include "parser/parser.h"

namespace trc {
namespace {

struct CaseFile {
  std::string script;
  std::vector<std::pair<std::string, std::string>> sections;  // in the file's order
};

CaseFile split_case(const std::string& text) {
  CaseFile parts;
  std::string* to = &parts.script;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    end = end == std::string::npos ? text.size() : end + 1;
    const std::string line = text.substr(at, end - at);
    if (line.starts_with("=== ")) {
      parts.sections.emplace_back(line.substr(4, line.find_last_not_of('\n') - 3), "");
      to = &parts.sections.back().second;
    } else {
      *to += line;
    }
    at = end;
  }
  return parts;
}

struct Parsed {
  Diagnostics diags;
  std::string diagnostics, tree, print, format;
  std::size_t comments = 0;
};

Parsed parse_text(const std::string& text) {
  Parsed parsed;
  const SourceFile file("case", text);
  const ast::Program program = parser::parse(file, {{"one", "uprobe:/bin/x:f"}, 0}, parsed.diags);
  parsed.diagnostics = render_text(parsed.diags, {&file}, false);
  parsed.tree = ast::dump(program);
  parsed.print = ast::print(program);
  if (parsed.diags.ok()) parsed.format = ast::format(program, file);
  parsed.comments = program.comments.size();
  return parsed;
}

class TextCase : public testing::TestWithParam<std::string> {};

TEST_P(TextCase, Matches) {
  const std::string path = std::string(TRC_TESTS_DIR) + "/parse/" + GetParam();
  const Result<std::string> text = read_file(path);
  ASSERT_TRUE(text) << text.error().message();
  const CaseFile expected = split_case(*text);
  ASSERT_FALSE(expected.sections.empty()) << "nothing is expected of " << path;
  const Parsed got = parse_text(expected.script);
  const std::map<std::string, std::string> sections = {{"diagnostics", got.diagnostics}, {"tree", got.tree}, {"print", got.print}, {"format", got.format}};

  if (std::getenv("TRC_UPDATE_EXPECTED") != nullptr) {
    std::ofstream out(path, std::ios::binary);
    out << expected.script;
    for (const auto& [name, content] : expected.sections) out << "=== " << name << "\n" << sections.at(name);
    return;
  }
  bool expects_diagnostics = false;
  for (const auto& [name, content] : expected.sections) {
    ASSERT_TRUE(sections.contains(name)) << "unknown section " << name;
    EXPECT_EQ(sections.at(name), content) << "section " << name << " of " << path;
    expects_diagnostics = expects_diagnostics || name == "diagnostics";
  }
  if (expects_diagnostics) return;
  EXPECT_EQ(got.diagnostics, "");
  const Parsed again = parse_text(got.print);
  EXPECT_EQ(again.diagnostics, "") << got.print;
  EXPECT_EQ(again.tree, got.tree) << got.print;
  EXPECT_EQ(again.print, got.print);
  const Parsed formatted = parse_text(got.format);
  EXPECT_EQ(formatted.diagnostics, "") << got.format;
  EXPECT_EQ(formatted.tree, got.tree) << got.format;
  EXPECT_EQ(formatted.format, got.format);
  EXPECT_EQ(formatted.comments, got.comments) << got.format;
}

std::vector<std::string> case_names() {
  const std::filesystem::path root = std::filesystem::path(TRC_TESTS_DIR) / "parse";
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".trc") names.push_back(std::filesystem::relative(entry.path(), root).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(0, info.param.size() - 4);
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Parse, TextCase, testing::ValuesIn(case_names()), test_name);

}  // namespace
}  // namespace trc
