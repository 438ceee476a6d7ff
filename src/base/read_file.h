// Reading a file whole.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace trc {

/// Everything in the file, also for files of unknown size (/proc, /sys, pipes). Error: "open PATH: …" or "read PATH: …".
Result<std::string> read_file(const std::string& path);

/// The first bytes of the file, at most `most`.
Result<std::string> read_file_start(const std::string& path, std::size_t most);

/// Everything until the end of an open descriptor; `name` is for the error.
Result<std::string> read_all(int fd, const std::string& name);

}  // namespace trc
