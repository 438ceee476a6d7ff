// Reading a file whole.
#pragma once

#include <string>

#include "base/result.h"

namespace trc {

/// Everything in the file, also for files of unknown size (/proc, /sys, pipes). Error: "open PATH: …" or "read PATH: …".
Result<std::string> read_file(const std::string& path);

/// Everything until the end of an open descriptor; `name` is for the error.
Result<std::string> read_all(int fd, const std::string& name);

}  // namespace trc
