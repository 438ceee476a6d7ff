// #include in a script: an installed compiler's preprocessor finds and reads the headers; what they declare is read by our own parser.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "types/c_section.h"

namespace trc::types {

struct HeaderError {
  std::size_t text = 0;    ///< number of the text that the compiler complains about, from 1; 0: none in particular
  std::string message;     ///< the compiler's words
  std::string hint;
};

struct Headers {
  /// For each text of the section that includes some (by number, from 1) what stands in its place, preprocessed, with macros as #define lines.
  /// Number 0: the compiler's own macros, and the files of HeaderOptions.
  std::map<std::size_t, std::string> texts;
  std::optional<HeaderError> error;
};

/// Runs clang or gcc, whichever there is. `defined`: macros that are 1.
Headers read_headers(std::span<const CText> texts, const HeaderOptions& options, const std::vector<std::string>& defined);

/// The parts of a preprocessor's output, told apart by its line markers.
std::map<std::size_t, std::string> split_preprocessed(std::string_view output);
/// The first error of a compiler's messages; its first line when none is marked as one.
HeaderError first_error(std::string_view messages);

}  // namespace trc::types
