// What is read of an image file before anything else in it is believed.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace trc::image {

inline constexpr char kMagic[8] = {'T', 'R', 'C', 'I', 'M', 'A', 'G', 'E'};

/// At the start of the file, in the byte order of the machine that made it.
struct Header {
  char magic[8];
  std::uint8_t big_endian;
  std::uint8_t pointer_bits;
  std::uint16_t machine;        ///< EM_* of <elf.h>; decides what the registers' offsets mean
  std::uint32_t version;        ///< kFormatVersion
  std::uint64_t fingerprint;    ///< of the type and action lists
  std::uint64_t size;           ///< of the whole file
  std::uint64_t checksum;       ///< of what follows the header
};
static_assert(sizeof(Header) == 40);

/// FNV-1a, to find damage; no protection against intent.
inline std::uint64_t checksum(std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// Changes when a kind of type or action comes, goes or moves: their numbers stand in the file.
constexpr std::uint64_t kind_fingerprint() {
  std::uint64_t hash = 0xcbf29ce484222325;
  auto add = [&hash](std::string_view name) {
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;
  };
#define TRC_TYPE(kind, name) add(#kind);
#include "lang/types.def"
#undef TRC_TYPE
#define TRC_ACTION(kind) add(#kind);
#include "lang/actions.def"
#undef TRC_ACTION
  return hash;
}

#if defined(__x86_64__)
inline constexpr std::uint16_t kMachine = 62;   // EM_X86_64
#elif defined(__aarch64__)
inline constexpr std::uint16_t kMachine = 183;  // EM_AARCH64
#else
#error "this architecture needs a line here and registers in probes"
#endif

inline constexpr bool kBigEndian = std::endian::native == std::endian::big;

}  // namespace trc::image
