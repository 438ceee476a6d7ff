// A command as text, taken apart as a shell would, without running one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace trc::runtime {

/// Words part at blanks. '…' keeps everything, "…" keeps all but \" \\ \$ \` and backslash-newline, a backslash outside of quotes keeps
/// the next character. Nothing is expanded. Error: an open quote.
Result<std::vector<std::string>> split_command(std::string_view command);

/// The file that `name` stands for: itself if it has a '/', otherwise the first executable regular file of that name on `path`.
Result<std::string> find_executable(const std::string& name, std::string_view path);

}  // namespace trc::runtime
