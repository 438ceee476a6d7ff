// The standard library in BPF C, as LLVM bitcode made at build time.
#pragma once

#include <string_view>

namespace trc::stdlib {
std::string_view bitcode();
}
