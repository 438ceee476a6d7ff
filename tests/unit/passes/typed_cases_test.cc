// tests/typed/*.trc: scripts and the typed programs they become, with the invented probes of fixture.h.
//
//   begin { print(1); }
//   === typed               typed::dump of the analysed script
//   === warnings            what is reported, if anything may be
//
// A first line "// run: -p 7 -- one two" sets the pid and the positional parameters. TRC_UPDATE_EXPECTED=1 writes the sections anew;
// look at the difference before believing it.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/read_file.h"
#include "fixture.h"

namespace trc::ast {
namespace {

const std::filesystem::path kRoot = std::filesystem::path(TRC_SOURCE_DIR) / "tests" / "typed";

class TypedCase : public testing::TestWithParam<std::string> {};

TEST_P(TypedCase, BecomesWhatStandsBelow) {
  const std::filesystem::path path = kRoot / GetParam();
  const Result<std::string> text = read_file(path.string());
  ASSERT_TRUE(text) << text.error().message();
  const std::size_t end = std::min(text->find("=== "), text->size());
  const std::string script = text->substr(0, end);
  const Outcome outcome = analyse_text(script, run_options(script));
  EXPECT_TRUE(outcome.analysis.has_value()) << outcome.messages();
  std::string got = "=== typed\n" + outcome.dump();
  if (!outcome.messages().empty()) got += "=== warnings\n" + outcome.messages();
  if (std::getenv("TRC_UPDATE_EXPECTED") != nullptr) {
    std::ofstream(path, std::ios::binary) << script << got;
  } else {
    EXPECT_EQ(text->substr(end), got);
  }
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot)) names.push_back(entry.path().stem().string() + ".trc");
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Typed, TypedCase, testing::ValuesIn(case_names()),
                         [](const auto& one) { return one.param.substr(0, one.param.size() - 4); });

}  // namespace
}  // namespace trc::ast
