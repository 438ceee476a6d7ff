#include "generator/choices.h"

#include <algorithm>

namespace trc::test {

std::uint8_t Choices::next() {
  if (at_ == bytes_.size()) bytes_.push_back(is_random_ ? static_cast<std::uint8_t>(random_()) : 0);
  return bytes_[at_++];
}

namespace {

class Shrinker {
 public:
  Shrinker(std::vector<std::uint8_t>& best, const std::function<bool(const std::vector<std::uint8_t>&)>& fails, std::size_t attempts)
      : best_(best), fails_(fails), attempts_(attempts) {}

  /// One pass over the bytes; true if anything got simpler.
  bool pass() {
    bool simpler = false;
    for (std::size_t chunk : {256, 64, 16, 8, 4, 3, 2, 1}) {
      for (std::size_t at = 0; at < best_.size() && attempts_ > 0;) {
        if (without(at, chunk)) {
          simpler = true;
        } else {
          at += chunk;
        }
      }
    }
    for (std::size_t at = 0; at < best_.size() && attempts_ > 0; ++at) {
      for (unsigned value : {0u, best_[at] / 2u, best_[at] - 1u}) {
        if (at < best_.size() && value < best_[at] && with(at, static_cast<std::uint8_t>(value))) simpler = true;
      }
    }
    return simpler;
  }

  bool may_go_on() const { return attempts_ > 0; }

 private:
  bool without(std::size_t at, std::size_t count) {
    auto shorter = best_;
    const auto from = shorter.begin() + static_cast<std::ptrdiff_t>(at);
    shorter.erase(from, from + static_cast<std::ptrdiff_t>(std::min(count, shorter.size() - at)));
    return accept(std::move(shorter));
  }
  bool with(std::size_t at, std::uint8_t value) {
    auto smaller = best_;
    smaller[at] = value;
    return accept(std::move(smaller));
  }
  bool accept(std::vector<std::uint8_t> candidate) {
    if (attempts_ == 0) return false;
    --attempts_;
    if (!fails_(candidate)) return false;
    best_ = std::move(candidate);
    return true;
  }

  std::vector<std::uint8_t>& best_;
  const std::function<bool(const std::vector<std::uint8_t>&)>& fails_;
  std::size_t attempts_;
};

}  // namespace

std::vector<std::uint8_t> shrink(std::vector<std::uint8_t> bytes, const std::function<bool(const std::vector<std::uint8_t>&)>& fails,
                                 std::size_t attempts) {
  Shrinker shrinker(bytes, fails, attempts);
  while (shrinker.may_go_on() && shrinker.pass()) {
  }
  return bytes;
}

}  // namespace trc::test
