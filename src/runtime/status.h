// Exit statuses of a run (cli.md §6).
#pragma once
namespace trc::runtime {
inline constexpr int kLoadFailure = 3;           ///< the kernel refused to load or attach
inline constexpr int kCompatLoadFailure = 255;   ///< the same for the reference (--compat)
}
