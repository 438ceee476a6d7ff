// Which build of this program is running.
#pragma once

#include <string>

namespace trc {

/// The bytes of its GNU build-id (a note that the linker makes of everything that it links); empty if it has none.
std::string own_build_id();

}  // namespace trc
