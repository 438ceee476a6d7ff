// Names of cgroups, looked up when they are printed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trc::runtime {

/// Finds folders of the mounted cgroup hierarchies by their inode, which is the cgroup's id. Remembers what it has seen, so that a cgroup that is
/// gone by now may still be known.
class Cgroups {
 public:
  struct Hierarchy { std::string name, root; };   ///< "unified" or the controllers ("cpu,cpuacct"); where it is mounted

  /// Of a text like /proc/self/mounts.
  static std::vector<Hierarchy> parse_mounts(std::string_view mounts);

  Cgroups() = default;
  explicit Cgroups(std::vector<Hierarchy> hierarchies) : hierarchies_(std::move(hierarchies)), read_(true) {}

  /// "unified:/a,cpu:/b": the hierarchies whose name matches the glob `filter` ("" all) and that have such a cgroup. Empty: none.
  std::string path(std::uint64_t id, const std::string& filter);

 private:
  void look();

  std::vector<Hierarchy> hierarchies_;
  bool read_ = false;
  std::map<std::uint64_t, std::map<std::size_t, std::string>> paths_;   // by id, then by hierarchy
};

}  // namespace trc::runtime
