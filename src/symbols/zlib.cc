#include "symbols/zlib.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace trc::symbols {
namespace {

constexpr std::size_t kStep = 1 << 20;

struct Decoder {
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { ::inflateEnd(&stream); }
  z_stream stream{};
};

}  // namespace

Result<std::string> unpack_zlib(std::string_view packed, std::size_t limit) {
  Decoder decoder;
  z_stream& stream = decoder.stream;
  if (packed.size() > std::numeric_limits<uInt>::max()) return Error("zlib: too large");
  if (::inflateInit(&stream) != Z_OK) return Error("zlib: no memory");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));   // is only read
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  while (true) {
    const std::size_t have = out.size();
    // One byte more than allowed tells what is too large from what just fits.
    const std::size_t step = std::min(kStep, limit + 1 - have);
    out.resize(have + step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data()) + have;
    stream.avail_out = static_cast<uInt>(step);
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(have + step - stream.avail_out);
    if (out.size() > limit) return Error("zlib: larger than allowed when unpacked");
    if (result == Z_STREAM_END) return out;
    if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) return Error("zlib: damaged");
  }
}

}  // namespace trc::symbols
