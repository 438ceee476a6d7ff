// A file is hostile until it has passed: header, size, checksum, then counts as they are read, then what the contents refer to.
#include <fmt/format.h>

#include <cstring>
#include <exception>

#include "image/archive.h"
#include "image/header.h"
#include "image/program_image.h"
#include "image/validate.h"

namespace trc::image {
namespace {

const char* machine_name(std::uint16_t machine) {
  switch (machine) {
    case 62: return "x86_64";
    case 183: return "aarch64";
    default: return "another architecture";
  }
}

Error damaged(std::string_view why) {
  return Error(fmt::format("the image is damaged: {}", why)).hint("compile the script again");
}

Result<> check_header(const Header& header, std::string_view bytes) {
  if (header.big_endian != kBigEndian) {
    return Error(fmt::format("the image is for {}-endian machines, and this one is {}-endian", header.big_endian ? "big" : "little", kBigEndian ? "big" : "little"))
        .hint("compile the script on this machine");
  }
  if (header.version != kFormatVersion || header.fingerprint != kind_fingerprint()) {
    return Error(fmt::format("the image was made by another version of trc (image format {}, this trc reads {})", header.version, kFormatVersion))
        .hint("compile the script again with this trc");
  }
  if (header.machine != kMachine || header.pointer_bits != 8 * sizeof(void*)) {
    return Error(fmt::format("the image is for {} ({} bits), and this machine is {}", machine_name(header.machine), header.pointer_bits, machine_name(kMachine)))
        .hint("compile the script on this machine");
  }
  if (header.size != bytes.size()) return damaged(fmt::format("it has {} bytes and should have {}", bytes.size(), header.size));
  if (header.checksum != checksum(bytes.substr(sizeof header))) return damaged("its checksum is wrong");
  return {};
}

}  // namespace

bool is_image(std::string_view bytes) { return bytes.size() >= sizeof kMagic && std::memcmp(bytes.data(), kMagic, sizeof kMagic) == 0; }

Result<ProgramImage> load(std::string_view bytes) {
  Header header = {};
  if (!is_image(bytes)) return Error("this is not a trc image");
  if (bytes.size() < sizeof header) return damaged("it ends in its header");
  std::memcpy(&header, bytes.data(), sizeof header);
  TRC_CHECK(check_header(header, bytes));
  ProgramImage image;
  try {
    Reader reader(bytes.substr(sizeof header));
    reader(image);
    if (reader.left() != 0) return damaged("there is more in it than there should be");
  } catch (const std::exception& e) {   // cereal reports by exceptions, and only here
    return damaged(e.what());
  }
  if (auto valid = validate(image); !valid) return damaged("it has " + valid.error().message());
  return image;
}

}  // namespace trc::image
