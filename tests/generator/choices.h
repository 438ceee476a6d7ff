// Where a generator's decisions come from: a seeded random source, or bytes that were recorded or that a fuzzer made. Zero is always the simplest
// decision, and what comes after the end of the bytes is zero; so shorter bytes and smaller bytes are simpler results, which is all that
// shrinking has to know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace trc::test {

class Choices {
 public:
  /// Random ones, the same for the same seed.
  explicit Choices(std::uint64_t seed) : random_(seed), is_random_(true) {}
  explicit Choices(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}

  /// 0 … n - 1; n is 1 … 256.
  std::size_t below(std::size_t n) { return next() % n; }
  /// Yes with a probability of `in_256` / 256.
  bool yes(unsigned in_256) { return next() >= 256 - in_256; }
  std::uint8_t next();
  /// What has been decided so far.
  std::vector<std::uint8_t> made() const { return {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at_)}; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
  std::mt19937_64 random_;
  bool is_random_ = false;
};

/// Simpler bytes for which `fails` is still true, as simple as at most `attempts` tries make them.
std::vector<std::uint8_t> shrink(std::vector<std::uint8_t> bytes, const std::function<bool(const std::vector<std::uint8_t>&)>& fails,
                                 std::size_t attempts = 2000);

}  // namespace trc::test
