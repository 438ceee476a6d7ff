#include "symbols/xz.h"

#include <lzma.h>

#include <algorithm>
#include <cstdint>

namespace trc::symbols {
namespace {

/// Of the decoder itself; `xz -9` needs 65 MiB.
constexpr std::uint64_t kMaxMemory = 128 << 20;
constexpr std::size_t kStep = 1 << 20;

struct Decoder {
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { ::lzma_end(&stream); }
  lzma_stream stream = LZMA_STREAM_INIT;
};

}  // namespace

Result<std::string> unpack_xz(std::string_view packed, std::size_t limit) {
  Decoder decoder;
  lzma_stream& stream = decoder.stream;
  if (::lzma_stream_decoder(&stream, kMaxMemory, LZMA_CONCATENATED) != LZMA_OK) return Error("xz: no memory");
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  std::string out;
  while (true) {
    const std::size_t have = out.size();
    // One byte more than allowed tells what is too large from what just fits.
    const std::size_t step = std::min(kStep, limit + 1 - have);
    out.resize(have + step);
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data()) + have;
    stream.avail_out = step;
    const lzma_ret result = ::lzma_code(&stream, LZMA_FINISH);
    out.resize(have + step - stream.avail_out);
    if (out.size() > limit) return Error("xz: larger than allowed when unpacked");
    if (result == LZMA_STREAM_END) return out;
    if (result != LZMA_OK || (stream.avail_in == 0 && stream.avail_out != 0)) return Error("xz: damaged");
  }
}

}  // namespace trc::symbols
