// cereal archives for program images: plain bytes, and on reading nothing is believed. Only image/save.cc and image/load.cc include this.
#pragma once

#include <cereal/cereal.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "lang/type.h"

namespace trc::image {

class Writer : public cereal::OutputArchive<Writer, cereal::AllowEmptyClassElision> {
 public:
  explicit Writer(std::string& out) : OutputArchive<Writer, cereal::AllowEmptyClassElision>(this), out_(out) {}
  void write(const void* data, std::size_t size) { out_.append(static_cast<const char*>(data), size); }

 private:
  std::string& out_;
};

/// Throws cereal::Exception on anything wrong: reading past the end, counts that the rest of the file cannot hold, types nested too deep.
class Reader : public cereal::InputArchive<Reader, cereal::AllowEmptyClassElision> {
 public:
  explicit Reader(std::string_view bytes) : InputArchive<Reader, cereal::AllowEmptyClassElision>(this), rest_(bytes) {}
  void read(void* data, std::size_t size) {
    if (size > rest_.size()) throw cereal::Exception("it ends too early");
    if (size != 0) std::memcpy(data, rest_.data(), size);
    rest_.remove_prefix(size);
  }
  std::size_t left() const { return rest_.size(); }
  void enter_type() {
    if (++depth_ > kMaxDepth) throw cereal::Exception("a type in it is nested too deep");
  }
  void leave_type() { --depth_; }

 private:
  static constexpr int kMaxDepth = 64;
  std::string_view rest_;
  int depth_ = 0;
};

template <class T>
std::enable_if_t<std::is_arithmetic_v<T>> CEREAL_SAVE_FUNCTION_NAME(Writer& ar, const T& value) { ar.write(&value, sizeof value); }

template <class T>
std::enable_if_t<std::is_arithmetic_v<T>> CEREAL_LOAD_FUNCTION_NAME(Reader& ar, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    std::uint8_t byte = 0;
    ar.read(&byte, 1);
    if (byte > 1) throw cereal::Exception("a flag in it is neither 0 nor 1");
    value = byte != 0;
  } else {
    ar.read(&value, sizeof value);
  }
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(Writer& ar, const cereal::SizeTag<T>& tag) {
  const std::uint32_t count = static_cast<std::uint32_t>(tag.size);
  ar(count);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(Reader& ar, cereal::SizeTag<T>& tag) {
  std::uint32_t count = 0;
  ar(count);
  // Every element takes a byte at least. Checked before anything is allocated.
  if (count > ar.left()) throw cereal::Exception("a count in it is larger than the file");
  tag.size = count;
}

template <class T>
void CEREAL_SAVE_FUNCTION_NAME(Writer& ar, const cereal::BinaryData<T>& data) { ar.write(data.data, static_cast<std::size_t>(data.size)); }
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(Reader& ar, cereal::BinaryData<T>& data) { ar.read(data.data, static_cast<std::size_t>(data.size)); }

inline void prologue(Reader& ar, const lang::Type&) { ar.enter_type(); }
inline void epilogue(Reader& ar, const lang::Type&) { ar.leave_type(); }

}  // namespace trc::image

CEREAL_REGISTER_ARCHIVE(trc::image::Writer)
CEREAL_REGISTER_ARCHIVE(trc::image::Reader)
CEREAL_SETUP_ARCHIVE_TRAITS(trc::image::Reader, trc::image::Writer)
