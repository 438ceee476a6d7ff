// Scripts with words swapped, doubled and dropped: most are wrong, none may end the program, and what passes must be a sound typed
// program (fixture.h verifies it).
#include <filesystem>
#include <random>

#include "base/read_file.h"
#include "fixture.h"

namespace trc::ast {
namespace {

std::vector<std::string> all_scripts() {
  std::vector<std::string> scripts;
  for (const char* folder : {"typed", "check"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(TRC_SOURCE_DIR) / "tests" / folder)) {
      if (entry.path().extension() != ".trc") continue;
      const auto text = read_file(entry.path().string());
      if (text) scripts.push_back(text->substr(0, text->find("=== ")));
    }
  }
  std::sort(scripts.begin(), scripts.end());
  return scripts;
}

/// Names, numbers, strings and single other characters.
std::vector<std::string> words_of(const std::string& script) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < script.size();) {
    std::size_t end = at + 1;
    if (script[at] == '"') {
      end = std::min(script.find('"', at + 1), script.size() - 1) + 1;
    } else if (is_identifier_char(script[at]) || script[at] == '$' || script[at] == '@') {
      while (end < script.size() && is_identifier_char(script[end])) ++end;
    }
    words.push_back(script.substr(at, end - at));
    at = end;
  }
  return words;
}

TEST(Nonsense, NeverEndsTheProgram) {
  const std::vector<std::string> scripts = all_scripts();
  std::vector<std::string> pool;
  for (const std::string& script : scripts) {
    for (const std::string& word : words_of(script)) {
      if (word != " " && word != "\n") pool.push_back(word);
    }
  }
  std::mt19937 random(1);
  auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  std::size_t sound = 0;
  constexpr int kRounds = 3000;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::string> words = words_of(scripts[below(scripts.size())]);
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
      std::string& word = words[below(words.size())];
      switch (below(4)) {
        case 0: word.clear(); break;
        case 1: word += " " + word; break;
        default: word = pool[below(pool.size())]; break;
      }
    }
    std::string script;
    for (const std::string& word : words) script += word;
    const Outcome outcome = analyse_text(script);
    if (outcome.analysis) ++sound;
    if (HasFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(sound, std::size_t{kRounds} / 100) << "the changes leave hardly anything to look at";
}

}  // namespace
}  // namespace trc::ast
