// Unpacking what is packed with zlib: compressed sections of debug information.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace trc::symbols {

/// Errors: damaged, or larger than `limit` bytes when unpacked (a small file may claim any size).
Result<std::string> unpack_zlib(std::string_view packed, std::size_t limit);

}  // namespace trc::symbols
