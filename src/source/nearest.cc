// "Did you mean": near names by edit distance.
#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/strings.h"
#include "source/diagnostics.h"

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

}  // namespace

std::vector<std::string> nearest_list(std::string_view word, const std::vector<std::string>& candidates, std::size_t limit) {
  struct Near { std::size_t distance; const std::string* name; };
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

}  // namespace trc
