#include "base/file_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <vector>

#include "base/read_file.h"

namespace trc {
namespace {

constexpr time_t kDay = 24 * 60 * 60;

bool only_we_write(const struct stat& status) { return status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0; }

bool make_folders(const std::string& folder) {
  for (std::size_t at = folder.find('/', 1); at != std::string::npos; at = folder.find('/', at + 1)) ::mkdir(folder.substr(0, at).c_str(), 0755);
  return ::mkdir(folder.c_str(), 0700) == 0;
}

}  // namespace

std::unique_ptr<FileCache> FileCache::open(const std::string& folder) {
  if (folder.empty() || folder.front() != '/') return nullptr;
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  Fd fd(::open(folder.c_str(), kFlags));
  if (!fd && errno == ENOENT && make_folders(folder)) fd.reset(::open(folder.c_str(), kFlags));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !only_we_write(status)) return nullptr;
  return std::unique_ptr<FileCache>(new FileCache(std::move(fd)));
}

std::optional<std::string> FileCache::find(const std::string& key) const {
  const Fd fd(::openat(folder_.get(), key.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || !only_we_write(status)) return std::nullopt;
  auto content = read_all(fd.get(), key);
  if (!content) return std::nullopt;
  if (::time(nullptr) - status.st_mtime > kDay) ::futimens(fd.get(), nullptr);   // it is still in use
  return std::move(*content);
}

void FileCache::store(const std::string& key, std::string_view content) const {
  const std::string unfinished = key + "." + std::to_string(::getpid());
  Fd fd(::openat(folder_.get(), unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return;
  const bool whole = ::write(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size());
  if (!whole || ::renameat(folder_.get(), unfinished.c_str(), folder_.get(), key.c_str()) != 0) ::unlinkat(folder_.get(), unfinished.c_str(), 0);
  remove_oldest();
}

void FileCache::remove_oldest() const {
  Fd copy(::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) return;
  const Owned<DIR*, ::closedir, nullptr> entries(::fdopendir(copy.get()));
  if (!entries) return;
  copy.release();   // closedir() closes it
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  if (names.size() <= kMostEntries) return;
  std::vector<std::pair<time_t, std::string>> by_age;
  for (std::string& name : names) {
    struct stat status {};
    if (::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) by_age.emplace_back(status.st_mtime, std::move(name));
  }
  std::sort(by_age.begin(), by_age.end());
  // Some more than need be, so that this is not done at every run.
  by_age.resize(std::min(by_age.size(), names.size() - kMostEntries * 3 / 4));
  for (const auto& [age, name] : by_age) ::unlinkat(folder_.get(), name.c_str(), 0);
}

}  // namespace trc
