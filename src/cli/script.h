// The script that the options name.
#pragma once

#include <string_view>

#include "base/result.h"
#include "cli/options.h"
#include "source/source_file.h"

namespace trc::cli {

/// -e, a file or standard input. What is a program (ELF) is refused as that.
Result<SourceFile> read_program(const Options& options);

/// In front of an image that --aot writes.
inline constexpr std::string_view kImageShebang = "#!/usr/bin/env trc\n";

/// The image in a file that --aot has written; empty if it is a script.
std::string_view saved_image(std::string_view text);

}  // namespace trc::cli
