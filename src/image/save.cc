#include <cstring>

#include "image/archive.h"
#include "image/header.h"
#include "image/program_image.h"

namespace trc::image {

std::string save(const ProgramImage& image) {
  std::string out(sizeof(Header), '\0');
  Writer writer(out);
  writer(image);
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.big_endian = kBigEndian;
  header.pointer_bits = 8 * sizeof(void*);
  header.machine = kMachine;
  header.version = kFormatVersion;
  header.fingerprint = kind_fingerprint();
  header.size = out.size();
  header.checksum = checksum(std::string_view(out).substr(sizeof header));
  std::memcpy(out.data(), &header, sizeof header);
  return out;
}

}  // namespace trc::image
