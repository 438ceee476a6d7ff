#include "runtime/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>

#include "base/glob.h"
#include "base/read_file.h"
#include "base/strings.h"

namespace trc::runtime {
namespace {

/// Cgroups nest a few levels; more is a loop of mounts.
constexpr int kMaxDepth = 64;

void walk(const std::string& root, const std::string& path, int depth, const auto& found) {
  struct stat status {};
  if (::stat((root + path).c_str(), &status) != 0) return;
  found(status.st_ino, path.empty() ? "/" : path);
  if (depth == kMaxDepth) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir((root + path).c_str()), ::closedir);
  if (!folder) return;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") walk(root, path + "/" + std::string(name), depth + 1, found);
  }
}

/// Mount tables write spaces and the like as \\040.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// The controllers of a version 1 hierarchy stand among its mount options, or its name does ("name=systemd").
std::string controllers(std::string_view options) {
  static constexpr std::string_view kNoControllers[] = {"rw", "ro", "nosuid", "nodev", "noexec", "relatime", "noatime", "xattr", "clone_children", "cpuset_v2_mode"};
  std::string name;
  for (const std::string& option : split(options, ',')) {
    bool is_option = option.starts_with("release_agent=");
    for (const std::string_view other : kNoControllers) is_option |= option == other;
    if (!is_option) name += (name.empty() ? "" : ",") + (option.starts_with("name=") ? option.substr(5) : option);
  }
  return name;
}

}  // namespace

std::vector<Cgroups::Hierarchy> Cgroups::parse_mounts(std::string_view mounts) {
  std::vector<Hierarchy> all;
  for (const std::string& line : split(mounts, '\n')) {
    const std::vector<std::string> words = split(line, ' ');   // device, folder, type, options, …
    if (words.size() < 4) continue;
    if (words[2] == "cgroup2") all.push_back({"unified", unescape(words[1])});
    if (words[2] == "cgroup") all.push_back({controllers(words[3]), unescape(words[1])});
  }
  return all;
}

void Cgroups::look() {
  if (!read_) {
    const auto mounts = read_file("/proc/self/mounts");
    hierarchies_ = parse_mounts(mounts ? *mounts : "");
    read_ = true;
  }
  for (std::size_t i = 0; i < hierarchies_.size(); ++i) {
    walk(hierarchies_[i].root, "", 0, [&](std::uint64_t id, const std::string& path) { paths_[id].insert_or_assign(i, path); });
  }
}

std::string Cgroups::path(std::uint64_t id, const std::string& filter) {
  if (paths_.find(id) == paths_.end()) look();
  std::string text;
  for (const auto& [hierarchy, path] : paths_[id]) {
    const std::string& name = hierarchies_[hierarchy].name;
    if (!filter.empty() && !glob_match(filter, name)) continue;
    text += (text.empty() ? "" : ",") + name + ":" + path;
  }
  return text;
}

}  // namespace trc::runtime
