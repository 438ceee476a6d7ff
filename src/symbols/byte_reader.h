// Reads numbers from the front of foreign bytes. What lies outside is 0, and from then on everything is; ok() tells.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace trc::symbols {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == end_; }
  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  template <class T>
  T fixed() {
    T value{};
    if (left() < sizeof value) return fail<T>();
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::uint8_t byte() {
    if (at_ == end_) return fail<std::uint8_t>();
    return static_cast<std::uint8_t>(*at_++);
  }
  /// LEB128. Bits beyond 64 are dropped, as everybody does.
  std::uint64_t unsigned_leb() {
    std::uint64_t value = 0;
    unsigned shift = 0;
    while (at_ != end_) {
      const auto b = static_cast<std::uint8_t>(*at_++);
      if (shift < 64) value |= std::uint64_t{b & 0x7fU} << shift;
      if ((b & 0x80) == 0) return value;
      shift += 7;
    }
    return fail<std::uint64_t>();
  }
  std::int64_t signed_leb() {
    std::uint64_t value = 0;
    unsigned shift = 0;
    while (at_ != end_) {
      const auto b = static_cast<std::uint8_t>(*at_++);
      if (shift < 64) value |= std::uint64_t{b & 0x7fU} << shift;
      shift += 7;
      if ((b & 0x80) != 0) continue;
      if (shift < 64 && (b & 0x40) != 0) value |= ~std::uint64_t{0} << shift;
      return static_cast<std::int64_t>(value);
    }
    return fail<std::int64_t>();
  }
  std::string_view take(std::uint64_t count) {
    if (count > left()) return fail<std::string_view>();
    const std::string_view taken(at_, static_cast<std::size_t>(count));
    at_ += count;
    return taken;
  }
  /// Up to a zero byte, which is passed over.
  std::string_view text() {
    const void* zero = left() != 0 ? std::memchr(at_, 0, left()) : nullptr;
    if (zero == nullptr) return fail<std::string_view>();
    const std::string_view taken(at_, static_cast<std::size_t>(static_cast<const char*>(zero) - at_));
    at_ = static_cast<const char*>(zero) + 1;
    return taken;
  }

 private:
  template <class T>
  T fail() {
    ok_ = false;
    at_ = end_;
    return T{};
  }

  const char *begin_, *at_, *end_;
  bool ok_ = true;
};

}  // namespace trc::symbols
