// The C definitions of a script: structures, unions, enumerations, typedefs and object-like macros, read without a compiler, so that they cost
// no start-up time. The layout is that of the x86-64 System V ABI, bit fields and packed structures included.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "source/diagnostics.h"
#include "source/source_file.h"

namespace trc::types {

class Library;

/// A directive line or a declaration, verbatim, and where it stands.
struct CText {
  std::string_view text;
  Span span;
};

/// Where headers are looked for, and those that are read before the script.
struct HeaderOptions {
  std::vector<std::string> folders;   ///< -I
  std::vector<std::string> files;     ///< --include
};

/// Adds what is defined to `library`. Mistakes go to `diags`, at their place; what they concern is left out. Headers that are included are read with
/// the help of an installed compiler, when the script gets there.
void read_c_section(std::span<const CText> texts, const HeaderOptions& options, Library& library, Diagnostics& diags);

}  // namespace trc::types
