// Separate debug files: where a stripped file's full symbol table lies.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trc::symbols {

class ElfReader;

/// The debug file of `file` at `path`, checked by build-id (or by the link's checksum where there is none); empty if there is none.
/// By build-id below /usr/lib/debug/.build-id, then by .gnu_debuglink beside the file, in .debug/ there, and below /usr/lib/debug.
std::string find_debug_file(const ElfReader& file, const std::string& path, const std::string& debug_root = "/usr/lib/debug");

/// Hex, empty if the file has none.
std::string read_build_id(const ElfReader& file);

/// The checksum of .gnu_debuglink.
std::uint32_t debuglink_checksum(std::string_view bytes, std::uint32_t so_far = 0);

}  // namespace trc::symbols
