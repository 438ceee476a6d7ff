#include "output/histogram.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/assert.h"
#include "lang/aggregates.h"

namespace trc::output {
namespace {

constexpr int kLabelWidth = 16;
constexpr int kCountWidth = 8;
constexpr std::size_t kBarWidth = 52;

using Bucket = Histogram::Bucket;

/// The lower bound of power-of-two bucket `index + 1`, which is the upper bound of bucket `index`.
struct Bound {
  std::uint32_t power;      ///< the bound is mantissa * 2^power
  std::uint64_t mantissa;
  Bound(std::uint32_t index, std::uint32_t bits)
      : power((index >> bits) - 1), mantissa((std::uint64_t{1} << bits) + (index & ((std::uint64_t{1} << bits) - 1))) {}
  /// 2^63, the end of the last bucket, is the largest: always fits.
  std::uint64_t value() const { return mantissa << power; }
  /// The suffix goes by the width of the bucket, not by the value: [1024K, 1056K) with 5 bits.
  std::string label() const {
    static constexpr const char* kSuffixes[] = {"", "K", "M", "G", "T", "P", "E"};
    const std::uint32_t tens = power / 10;
    return fmt::format("{}{}", mantissa << (power - 10 * tens), kSuffixes[tens]);
  }
};

Bucket exponential_bucket(std::uint32_t index, std::uint32_t bits) {
  if (index == 0) return {.label = "(..., 0)", .max = -1};
  if (index <= (std::uint32_t{2} << bits)) {
    const std::int64_t value = index - 1;
    return {.label = fmt::format("[{}]", value), .min = value, .max = value};
  }
  const Bound from(index - 1, bits), to(index, bits);
  return {.label = fmt::format("[{}, {})", from.label(), to.label()),
          .min = static_cast<std::int64_t>(from.value()),
          .max = static_cast<std::int64_t>(to.value() - 1)};
}

/// A bound of a linear histogram: only steps of whole Ki get suffixes, so that neighbouring labels agree.
std::string linear_label(std::int64_t value, std::int64_t step) {
  constexpr std::int64_t kKi = 1024, kMi = 1024 * 1024;
  if (step % kKi != 0 || value == 0) return std::to_string(value);
  if (value % kMi == 0) return std::to_string(value / kMi) + "M";
  if (value % kKi == 0) return std::to_string(value / kKi) + "K";
  return std::to_string(value);
}

Bucket linear_bucket(std::uint32_t index, std::uint32_t last, const lang::Type& type) {
  if (index == 0) return {.label = fmt::format("(..., {})", linear_label(type.low, type.step)), .max = type.low - 1};
  if (index == last) return {.label = fmt::format("[{}, ...)", linear_label(type.high, type.step)), .min = type.high};
  const std::int64_t from = type.low + static_cast<std::int64_t>(index - 1) * type.step;
  // Where the step does not divide the range, values from `high` on are in the overflow bucket, so the last one is narrower.
  const std::int64_t to = index + 1 == last ? type.high : from + type.step;
  if (type.step == 1) return {.label = fmt::format("[{}]", linear_label(from, type.step)), .min = from, .max = from};
  return {.label = fmt::format("[{}, {})", linear_label(from, type.step), linear_label(to, type.step)), .min = from, .max = to - 1};
}

}  // namespace

std::shared_ptr<Histogram> make_histogram(const lang::Type& type, std::span<const std::uint64_t> words) {
  TRC_ASSERT(type.is(lang::TypeKind::Histogram) || type.is(lang::TypeKind::LinearHistogram));
  const bool linear = type.is(lang::TypeKind::LinearHistogram);
  const std::uint32_t buckets = linear ? lang::linear_buckets(type) + 2 : lang::histogram_buckets(type.count);
  words = words.first(std::min<std::size_t>(words.size(), buckets));

  auto histogram = std::make_shared<Histogram>();
  const auto non_zero = [](std::uint64_t count) { return count != 0; };
  const auto first = std::find_if(words.begin(), words.end(), non_zero);
  const auto last = std::find_if(words.rbegin(), words.rend(), non_zero).base();
  for (auto at = first; at < last; ++at) {
    const auto index = static_cast<std::uint32_t>(at - words.begin());
    Bucket bucket = linear ? linear_bucket(index, buckets - 1, type) : exponential_bucket(index, type.count);
    bucket.count = *at;
    histogram->buckets.push_back(std::move(bucket));
  }
  return histogram;
}

void append_rows(std::string& out, const Histogram& histogram) {
  std::uint64_t largest = 1;
  for (const Bucket& bucket : histogram.buckets) largest = std::max(largest, bucket.count);
  for (const Bucket& bucket : histogram.buckets) {
    // Single precision, as the established format has it: the length of a bar is part of the bytes.
    const float share = static_cast<float>(bucket.count) / static_cast<float>(largest);
    const auto length = std::min(kBarWidth, static_cast<std::size_t>(share * static_cast<float>(kBarWidth)));
    fmt::format_to(std::back_inserter(out), "{:<{}}{:>{}} |", bucket.label, kLabelWidth, bucket.count / histogram.divisor, kCountWidth);
    out.append(length, '@');
    out.append(kBarWidth - length, ' ');
    out += "|\n";
  }
}

}  // namespace trc::output
