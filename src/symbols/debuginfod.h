// Debug files from a server, for users who have set one up (DEBUGINFOD_URLS). libdebuginfod fetches and keeps them; it is loaded when the
// first file is wanted.
#pragma once

#include <memory>
#include <string>

#include "symbols/elf_reader.h"

namespace trc::symbols {

/// The debug file of a build-id (hex). Null without DEBUGINFOD_URLS, without the library, or if no server has it. Waits for the servers, as
/// long as DEBUGINFOD_TIMEOUT says.
std::shared_ptr<const ElfReader> fetch_debug_file(const std::string& build_id);

}  // namespace trc::symbols
