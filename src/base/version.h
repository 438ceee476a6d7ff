// The version of trc.
#pragma once
namespace trc {
inline constexpr const char* kVersion = "0.1.0";
}
