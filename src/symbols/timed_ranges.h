// What lay where, and since when: ranges of addresses that are put in as they are observed, asked for by address and time. What came later
// covers what was there and does not erase it, so an old address still leads to what it meant when it was seen.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <utility>
#include <vector>

namespace trc::symbols {

/// The time of whatever is newest. Times are nanoseconds of CLOCK_MONOTONIC.
inline constexpr std::uint64_t kNow = std::numeric_limits<std::uint64_t>::max();

/// Value: cheap to copy, with ==.
template <class Value>
class TimedRanges {
 public:
  struct Range {
    std::uint64_t start = 0, end = 0;
    std::uint64_t origin = 0;      ///< where the range began before others covered its front; what Value means is counted from here
    std::uint64_t since = 0;
    std::uint64_t found = 0;       ///< when it was noticed, if it came at some unknown time between `since` and then; 0: it came at `since`
    Value value{};
  };

  /// Ranges may come in any order of `since`; of two with the same, the one that is put last lies above.
  void put(std::uint64_t start, std::uint64_t end, std::uint64_t since, Value value) {
    if (start < end) put_range({start, end, start, since, 0, std::move(value)});
  }
  /// A range that is there at the time `found`, nobody knows since when: since it came into the place of what is known there.
  void put_found(std::uint64_t start, std::uint64_t end, std::uint64_t found, Value value) {
    if (start >= end) return;
    std::uint64_t since = 0;
    for (auto at = first_ending_after(start); at != current_.end() && at->second.start < end; ++at) {
      if (same(at->second, start, end, value)) return;
      since = std::max(since, at->second.since + 1);
    }
    put_range({start, end, start, since, found, std::move(value)});
  }

  /// What lay there at that time; nullptr if nothing is known to have.
  const Range* find(std::uint64_t address, std::uint64_t time = kNow) const {
    const auto next = current_.upper_bound(address);
    if (next != current_.begin()) {
      const Range& range = std::prev(next)->second;
      if (address < range.end && range.since <= time) return &range;
    }
    return find_covered(address, time);
  }

  /// Calls take(range) for what lay anywhere at that time, what lies lowest first: putting them in this order repeats the picture.
  template <class Take>
  void for_each_at(std::uint64_t time, Take take) const {
    std::vector<const Range*> ranges;
    for (const auto& [start, versions] : covered_) {
      for (const Range& range : versions) {
        if (range.since <= time) ranges.push_back(&range);
      }
    }
    for (const auto& [start, range] : current_) {
      if (range.since <= time) ranges.push_back(&range);
    }
    std::stable_sort(ranges.begin(), ranges.end(), [](const Range* a, const Range* b) { return a->since < b->since; });
    for (const Range* range : ranges) take(*range);
  }

  bool empty() const { return current_.empty(); }
  std::size_t size() const { return current_.size() + covered_count_; }

 private:
  /// A program that loads and unloads without end must not fill the memory: then the older half of what is covered goes.
  static constexpr std::size_t kMaxCovered = 1 << 16;

  static bool same(const Range& range, std::uint64_t start, std::uint64_t end, const Value& value) {
    return range.start == start && range.end == end && range.origin == start && range.value == value;
  }

  typename std::map<std::uint64_t, Range>::iterator first_ending_after(std::uint64_t address) {
    const auto next = current_.upper_bound(address);
    return next != current_.begin() && std::prev(next)->second.end > address ? std::prev(next) : next;
  }

  void put_range(Range range) {
    const auto first = first_ending_after(range.start);
    if (first != current_.end() && same(first->second, range.start, range.end, range.value)) {
      Range& known = first->second;
      // Seen again. The time of a report replaces a guess.
      if (range.found == 0 && (known.found != 0 || range.since < known.since)) {
        known.since = range.since;
        known.found = 0;
      }
      return;
    }
    auto last = first;
    std::vector<Range> pieces;
    const auto piece = [](const Range& of, std::uint64_t part_start, std::uint64_t part_end) {
      Range part = of;
      part.start = part_start;
      part.end = part_end;
      return part;
    };
    std::uint64_t start = range.start;   // of what is still to be put in
    for (; last != current_.end() && last->second.start < range.end; ++last) {
      const Range& old = last->second;
      const std::uint64_t from = std::max(old.start, range.start), to = std::min(old.end, range.end);
      if (old.start < from) pieces.push_back(piece(old, old.start, from));
      if (to < old.end) pieces.push_back(piece(old, to, old.end));
      if (old.since <= range.since) {
        // What was found lying here came later than this report, and the report of it is still to come.
        const bool guessed_too_early = old.found != 0 && range.found == 0 && range.since <= old.found;
        if (!guessed_too_early) cover(piece(old, from, to));
        continue;
      }
      if (start < from) pieces.push_back(piece(range, start, from));
      cover(piece(range, from, to));
      pieces.push_back(piece(old, from, to));
      start = to;
    }
    if (start < range.end) pieces.push_back(piece(range, start, range.end));
    current_.erase(first, last);
    for (Range& part : pieces) current_.insert_or_assign(part.start, std::move(part));
  }

  void cover(Range range) {
    longest_ = std::max(longest_, range.end - range.start);
    std::vector<Range>& versions = covered_[range.start];
    const auto at = std::upper_bound(versions.begin(), versions.end(), range.since, [](std::uint64_t since, const Range& r) { return since < r.since; });
    versions.insert(at, std::move(range));
    if (++covered_count_ > kMaxCovered) forget_older_half();
  }

  void forget_older_half() {
    std::vector<std::uint64_t> times;
    for (const auto& [start, versions] : covered_) {
      for (const Range& range : versions) times.push_back(range.since);
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    covered_count_ = 0;
    for (auto entry = covered_.begin(); entry != covered_.end();) {
      std::erase_if(entry->second, [&](const Range& range) { return range.since <= *middle; });
      covered_count_ += entry->second.size();
      entry = entry->second.empty() ? covered_.erase(entry) : std::next(entry);
    }
  }

  const Range* find_covered(std::uint64_t address, std::uint64_t time) const {
    const Range* best = nullptr;
    for (auto entry = covered_.upper_bound(address); entry != covered_.begin();) {
      --entry;
      if (address - entry->first >= longest_) break;
      const std::vector<Range>& versions = entry->second;
      auto version = std::upper_bound(versions.begin(), versions.end(), time, [](std::uint64_t t, const Range& r) { return t < r.since; });
      while (version != versions.begin()) {
        --version;
        if (address >= version->end) continue;
        if (best == nullptr || version->since > best->since) best = &*version;
        break;
      }
    }
    return best;
  }

  std::map<std::uint64_t, Range> current_;              ///< by start, never overlapping: the newest
  std::map<std::uint64_t, std::vector<Range>> covered_; ///< by start, then by time
  std::uint64_t longest_ = 0;                           ///< of covered_
  std::size_t covered_count_ = 0;
};

}  // namespace trc::symbols
