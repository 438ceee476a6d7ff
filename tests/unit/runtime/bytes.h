// Records and map elements put together byte by byte in tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace trc::runtime {

using ByteVector = std::vector<std::byte>;

/// The numbers one after another, as they lie in memory.
template <class... Numbers>
ByteVector bytes_of(Numbers... numbers) {
  ByteVector out((sizeof numbers + ... + 0));
  std::size_t at = 0;
  ((std::memcpy(out.data() + at, &numbers, sizeof numbers), at += sizeof numbers), ...);
  return out;
}

/// The text, padded with NUL.
inline ByteVector text_bytes(std::string_view text, std::size_t capacity) {
  ByteVector out(capacity);
  std::memcpy(out.data(), text.data(), std::min(text.size(), capacity));
  return out;
}

inline ByteVector operator+(const ByteVector& a, const ByteVector& b) {
  ByteVector out(a.size() + b.size());
  std::copy(a.begin(), a.end(), out.begin());
  std::copy(b.begin(), b.end(), out.begin() + static_cast<std::ptrdiff_t>(a.size()));
  return out;
}

}  // namespace trc::runtime
