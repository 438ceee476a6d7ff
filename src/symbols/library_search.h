// Where the dynamic loader finds libraries: by its cache, by a file's RUNPATH, in the usual directories.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trc::symbols {

class ElfFile;

/// One line of ld.so.cache: "libc.so.6" lies at "/lib/x86_64-linux-gnu/libc.so.6".
struct CachedLibrary { std::string soname, path; };

/// The entries for this machine. Damaged bytes give what could be read before the damage.
std::vector<CachedLibrary> parse_library_cache(std::string_view bytes);

/// Does the library file name `file` ("libssl.so.3") answer to `name`? By itself, by a prefix that ends before ".so" or a version
/// ("libssl", "libssl.so", "libpython3"), or without "lib" ("ssl").
bool library_name_matches(std::string_view name, std::string_view file);

/// Finds a shared library by soname or file name ("libc", "libc.so.6", "c"): ld.so.cache, then the usual directories. Of several
/// versions the highest. Empty if none.
std::string find_library(std::string_view name);

/// The file that the dynamic loader takes for DT_NEEDED `soname` of `file`: DT_RPATH, LD_LIBRARY_PATH, DT_RUNPATH (with $ORIGIN),
/// then as find_library() with the exact name. Empty if none.
std::string resolve_needed(const ElfFile& file, std::string_view soname);

}  // namespace trc::symbols
