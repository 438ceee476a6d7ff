// The script that the options name.
#pragma once

#include <string>
#include <string_view>

#include "ast/passes/analyse.h"
#include "base/result.h"
#include "cli/options.h"
#include "source/source_file.h"

namespace trc::cli {

/// -e, a file or standard input. What is a program (ELF) is refused as that.
Result<SourceFile> read_program(const Options& options);

/// Of a script in a file; empty for -e and standard input.
std::string script_path(const Options& options);

/// What the options say about the meaning of the script; the process of -p or -c is the caller's.
ast::AnalyseOptions analyse_options(const Options& options);

/// Readers see the old file or the new one, never a part. Links are followed, the mode stays.
Result<> replace_file(const std::string& name, const std::string& text);

/// In front of an image that --aot writes.
inline constexpr std::string_view kImageShebang = "#!/usr/bin/env trc\n";

/// The image in a file that --aot has written; empty if it is a script.
std::string_view saved_image(std::string_view text);

}  // namespace trc::cli
