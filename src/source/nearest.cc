// "Did you mean": near names by edit distance.
#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/strings.h"
#include "source/suggest.h"

namespace trc {

namespace {

/// Insertions, deletions, replacements and swaps of neighbours; anything above `limit` is reported as limit + 1.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t length_gap = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (length_gap > limit) return limit + 1;
  std::vector<std::size_t> two_back(b.size() + 1), back(b.size() + 1), row(b.size() + 1);
  std::iota(back.begin(), back.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); i++) {
    row[0] = i;
    std::size_t smallest = i;
    for (std::size_t j = 1; j <= b.size(); j++) {
      const std::size_t replace = back[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, back[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], two_back[j - 2] + 1);
      smallest = std::min(smallest, row[j]);
    }
    if (smallest > limit) return limit + 1;
    two_back.swap(back);
    back.swap(row);
  }
  return std::min(back[b.size()], limit + 1);
}

/// A third of the letters may be wrong; with two letters or fewer only the case may.
std::size_t tolerance(std::string_view word) { return word.size() <= 2 ? 0 : std::max<std::size_t>(1, word.size() / 3); }

struct Near {
  std::size_t distance;
  const std::string* name;
};

/// Those that may be meant, best first.
std::vector<Near> all_near(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string wanted = to_lower(word);
  const std::size_t allowed = tolerance(word);
  std::vector<Near> near;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > word.size() + allowed) continue;
    const std::size_t distance = edit_distance(wanted, to_lower(candidate), allowed);
    if (distance <= allowed) near.push_back({distance, &candidate});
  }
  std::stable_sort(near.begin(), near.end(), [](const Near& a, const Near& b) {
    return a.distance != b.distance ? a.distance < b.distance : *a.name < *b.name;
  });
  return near;
}

}  // namespace

std::vector<std::string> nearest_list(std::string_view word, const std::vector<std::string>& candidates, std::size_t limit) {
  const std::vector<Near> near = all_near(word, candidates);
  std::vector<std::string> names;
  for (const Near& n : near) {
    if (names.size() == limit) break;
    if (names.empty() || names.back() != *n.name) names.push_back(*n.name);
  }
  return names;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::vector<std::string> best = nearest_list(word, candidates, 1);
  return best.empty() ? std::string() : best.front();
}

bool suggest(Diagnostic& report, Span at, std::string_view word, const std::vector<std::string>& candidates) {
  const std::vector<Near> near = all_near(word, candidates);
  if (near.empty()) return false;
  const std::string& best = *near.front().name;
  report.with_hint("did you mean " + best + "?");
  const auto rival = std::find_if(near.begin(), near.end(), [&](const Near& n) { return *n.name != best; });
  if (rival == near.end() || rival->distance > near.front().distance) report.with_edit(at, best);
  return true;
}

}  // namespace trc
