#include "base/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"

namespace trc {

Result<std::string> read_all(int fd, const std::string& name) {
  // st_size is a hint only: it is 0 in /proc, and a file may grow.
  struct stat status {};
  std::size_t guess = 0;
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) guess = static_cast<std::size_t>(status.st_size);
  std::string content;
  std::size_t used = 0;
  while (true) {
    if (used == content.size()) content.resize(used == 0 ? guess + 4096 : used * 2);
    const ssize_t got = ::read(fd, content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno("read " + name);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

Result<std::string> read_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error::from_errno("open " + path);
  return read_all(fd.get(), path);
}

Result<std::string> read_file_start(const std::string& path, std::size_t most) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error::from_errno("open " + path);
  std::string content(most, '\0');
  std::size_t used = 0;
  while (used < most) {
    const ssize_t got = ::read(fd.get(), content.data() + used, most - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno("read " + path);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

}  // namespace trc
