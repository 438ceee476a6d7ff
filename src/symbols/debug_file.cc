#include "symbols/debug_file.h"

#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <optional>

#include "symbols/elf_reader.h"
#include "symbols/xz.h"

namespace trc::symbols {
namespace {

namespace fs = std::filesystem;

/// The symbols of the largest programs take a tenth of this.
constexpr std::size_t kMaxPacked = 256 << 20;

struct DebugLink { std::string name; std::uint32_t checksum = 0; };

std::optional<DebugLink> read_debuglink(const ElfReader& file) {
  const ElfSection* section = file.section(".gnu_debuglink");
  if (!section) return std::nullopt;
  const std::string bytes = file.read(*section);
  const std::size_t length = bytes.find('\0');
  if (length == std::string::npos || length == 0) return std::nullopt;
  const std::size_t at = (length + 4) / 4 * 4;  // the checksum follows the name, aligned
  if (at + 4 > bytes.size()) return std::nullopt;
  DebugLink link{bytes.substr(0, length), 0};
  if (link.name.find('/') != std::string::npos) return std::nullopt;  // a file name; a path would lead anywhere
  std::memcpy(&link.checksum, bytes.data() + at, 4);
  return link;
}

bool checksum_is(const ElfReader& file, std::uint32_t wanted) {
  constexpr std::uint64_t kBlock = 1 << 20;
  std::uint32_t sum = 0;
  for (std::uint64_t at = 0; at < file.size(); at += kBlock) sum = debuglink_checksum(file.read(at, kBlock), sum);
  return sum == wanted;
}

}  // namespace

std::uint32_t debuglink_checksum(std::string_view bytes, std::uint32_t so_far) {
  static const std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t sum = ~so_far;
  for (char c : bytes) sum = kTable[(sum ^ static_cast<unsigned char>(c)) & 0xff] ^ sum >> 8;
  return ~sum;
}

std::string read_build_id(const ElfReader& file) {
  for (const ElfSegment& segment : file.segments()) {
    if (segment.type != PT_NOTE) continue;
    const std::string bytes = file.read(segment.offset, std::min<std::uint64_t>(segment.file_size, 1 << 20));
    for (const ElfNote& note : parse_notes(bytes, segment.align)) {
      if (note.type != NT_GNU_BUILD_ID || note.name != "GNU" || note.description.size() > 64) continue;
      std::string hex;
      for (char c : note.description) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
      return hex;
    }
  }
  return "";
}

namespace {

std::vector<std::string> given_folders;

std::string find_below(const ElfReader& file, const FilePlace& place, const std::string& debug_root) {
  const std::string build_id = read_build_id(file);
  const auto belongs = [&](const std::string& candidate, std::optional<std::uint32_t> checksum) {
    std::error_code ignored;
    if (::access(candidate.c_str(), R_OK) != 0 || fs::equivalent(candidate, place.root + place.path, ignored)) return false;
    const auto debug = ElfReader::open(candidate);
    if (!debug) return false;
    const std::string id = read_build_id(*debug);
    if (!build_id.empty() && !id.empty()) return id == build_id;
    return checksum && checksum_is(*debug, *checksum);
  };
  if (build_id.size() > 2) {
    const std::string candidate = fmt::format("{}/.build-id/{}/{}.debug", debug_root, build_id.substr(0, 2), build_id.substr(2));
    if (belongs(candidate, std::nullopt)) return candidate;
  }
  const auto link = read_debuglink(file);
  if (!link) return "";
  std::error_code failure = std::make_error_code(std::errc::not_supported);
  // Links in another root cannot be followed from here.
  const fs::path real = place.root.empty() ? fs::canonical(place.path, failure) : fs::path();
  const std::string directory = (failure ? fs::path(place.path) : real).parent_path();
  const std::string here = place.root + directory;
  std::vector<std::string> directories = {here, here + "/.debug", debug_root + directory};
  // With /lib a link to /usr/lib, packages still ship their debug file under the old name.
  if (directory.starts_with("/usr/")) directories.push_back(debug_root + directory.substr(4));
  for (const std::string& where : directories) {
    const std::string candidate = where + "/" + link->name;
    if (belongs(candidate, link->checksum)) return candidate;
  }
  return "";
}

}  // namespace

void set_debug_folders(std::vector<std::string> folders) { given_folders = std::move(folders); }

std::string find_debug_file(const ElfReader& file, const FilePlace& place) {
  for (const std::string& folder : given_folders) {
    if (std::string found = find_below(file, place, folder); !found.empty()) return found;
  }
  return find_below(file, place, place.root + place.debug_folder);
}

bool has_symbol_table(const ElfReader& file) {
  for (const ElfSection& section : file.sections()) {
    if (section.type == SHT_SYMTAB && file.has_bytes(section) && section.size > sizeof(Elf64_Sym)) return true;
  }
  return false;
}

std::vector<std::shared_ptr<const ElfReader>> other_symbol_files(const ElfReader& file, const FilePlace& place) {
  std::vector<std::shared_ptr<const ElfReader>> files;
  if (has_symbol_table(file)) return files;
  if (const ElfSection* packed = file.section(".gnu_debugdata")) {
    auto bytes = unpack_xz(file.read(*packed), kMaxPacked);
    auto reader = bytes ? ElfReader::from_bytes(std::move(*bytes), place.path + " (.gnu_debugdata)") : Result<ElfReader>(std::move(bytes).error());
    if (reader) files.push_back(std::make_shared<const ElfReader>(std::move(*reader)));
  }
  if (const std::string path = find_debug_file(file, place); !path.empty()) {
    if (auto reader = ElfReader::open(path)) files.push_back(std::make_shared<const ElfReader>(std::move(*reader)));
  }
  return files;
}

}  // namespace trc::symbols
