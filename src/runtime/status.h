// Exit statuses of a run (cli.md §6).
#pragma once
namespace trc::runtime {
inline constexpr int kLoadFailure = 255;   ///< the kernel refused to load or attach
}
