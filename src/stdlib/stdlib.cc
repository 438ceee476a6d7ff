#include "stdlib/stdlib.h"

extern "C" {
extern const char trc_stdlib_bitcode[];
extern const char trc_stdlib_bitcode_end[];
}

namespace trc::stdlib {
std::string_view bitcode() { return {trc_stdlib_bitcode, static_cast<std::size_t>(trc_stdlib_bitcode_end - trc_stdlib_bitcode)}; }
}  // namespace trc::stdlib
