// trc explain: what a diagnostic means, with an example that gets it and one that does not.
#include <fmt/format.h>

#include <cstdio>

#include "cli/commands.h"
#include "source/diagnostics.h"

namespace trc::cli {
namespace {

constexpr std::size_t kWidth = 100;

/// Lines of words, none longer than kWidth unless a word is.
std::string wrapped(std::string_view text) {
  std::string out, line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (!line.empty() && line.size() + 1 + word.size() > kWidth) {
      out += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + std::string(word);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + line + "\n";
}

}  // namespace

Result<int> explain(const Options& o) {
  if (o.explained.empty()) {
    for (const Diag code : all_diagnostics()) {
      const std::string_view text = explanation_of(code).text;
      fmt::print("{:<24}{}\n", slug_of(code), text.substr(0, text.find_first_of(".:;") + 1));
    }
    return 0;
  }
  std::vector<std::string> slugs;
  for (const Diag code : all_diagnostics()) {
    slugs.emplace_back(slug_of(code));
    if (slugs.back() != o.explained) continue;
    const Explanation& explanation = explanation_of(code);
    fmt::print("{} ({})\n\n{}\nThis gets it:\n\n    {}\n\nThis does not:\n\n    {}\n", slugs.back(), severity_of(code) == Severity::Error ? "error" : "warning",
               wrapped(explanation.text), explanation.fails, explanation.mended);
    return 0;
  }
  const std::string near = nearest(o.explained, slugs);
  return Error(fmt::format("there is no diagnostic '{}'", o.explained)).hint(near.empty() ? "trc explain lists them" : "did you mean " + near + "?");
}

}  // namespace trc::cli
