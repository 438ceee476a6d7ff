// Unpacking what is packed with xz: the sections .gnu_debugdata.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace trc::symbols {

/// All streams in `packed`. Errors: damaged, or larger than `limit` bytes when unpacked (a small file may claim any size).
Result<std::string> unpack_xz(std::string_view packed, std::size_t limit);

}  // namespace trc::symbols
