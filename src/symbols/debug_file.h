// Where a stripped file's full symbol table lies: packed in the file itself (.gnu_debugdata), or in a separate debug file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trc::symbols {

class ElfReader;

/// Where a file was found, and where what belongs to it is looked for.
struct FilePlace {
  std::string path;                                ///< below `root`
  std::string root;                                ///< "/proc/PID/root" of a process that sees other files than we do
  std::string debug_folder = "/usr/lib/debug";     ///< below `root`
};

/// Folders of ours that are searched before FilePlace::debug_folder (--debuginfo). To be set once, before anything is looked for.
void set_debug_folders(std::vector<std::string> folders);

/// The debug file of `file`, checked by build-id (or by the link's checksum where there is none); empty if there is none.
/// By build-id below DEBUG_FOLDER/.build-id, then by .gnu_debuglink beside the file, in .debug/ there, and below DEBUG_FOLDER.
std::string find_debug_file(const ElfReader& file, const FilePlace& place);

/// Files with symbols that `file` itself lacks: none if it has .symtab, otherwise what .gnu_debugdata holds and the debug file. They may be
/// anybody's, so not every symbol need make sense.
std::vector<std::shared_ptr<const ElfReader>> other_symbol_files(const ElfReader& file, const FilePlace& place);

/// Has it a full symbol table, with something in it?
bool has_symbol_table(const ElfReader& file);

/// Hex, empty if the file has none.
std::string read_build_id(const ElfReader& file);

/// The checksum of .gnu_debuglink.
std::uint32_t debuglink_checksum(std::string_view bytes, std::uint32_t so_far = 0);

}  // namespace trc::symbols
