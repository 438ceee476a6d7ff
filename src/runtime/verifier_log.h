// What the kernel's verifier says about a program that it refuses, reduced to the two things a user wants: where and why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/program_image.h"

namespace trc::runtime {

struct Refusal {
  std::string program;      ///< function in the object
  std::string reason;       ///< the verifier's own sentence
  std::string file;         ///< of the last source line that it passed; empty if the log names none of ours
  std::uint32_t line = 0;
  std::string text;         ///< that line
};

struct VerifierLog {
  std::string program;      ///< function in the object
  std::string text;         ///< whole lines
};

/// The verifier's logs among libbpf's messages, each program's.
std::vector<VerifierLog> verifier_logs(std::string_view messages);

/// Looks for a refused program in what libbpf printed while loading; `image.sources` says which files are the script's.
std::optional<Refusal> find_refusal(std::string_view log, const image::ProgramImage& image);

/// One message with the place, the reason and the source line.
std::string describe(const Refusal& refusal);

}  // namespace trc::runtime
