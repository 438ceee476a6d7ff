#include "runtime/cgroups.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace trc::runtime {
namespace {

TEST(Cgroups, HierarchiesOfAMountTable) {
  const auto all = Cgroups::parse_mounts(
      "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup/a\\040b cgroup2 rw,nosuid 0 0\n"
      "cgroup /sys/fs/cgroup/cpu cgroup rw,nosuid,cpu,cpuacct 0 0\ncgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\nbad line\n");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "unified");
  EXPECT_EQ(all[0].root, "/sys/fs/cgroup/a b");
  EXPECT_EQ(all[1].name, "cpu,cpuacct");
  EXPECT_EQ(all[2].name, "systemd");
}

TEST(Cgroups, FoundByTheirInodeAndRemembered) {
  const std::filesystem::path root = std::filesystem::path(testing::TempDir()) / "trc-cgroups";
  std::filesystem::create_directories(root / "a" / "b");
  struct stat status {};
  ASSERT_EQ(::stat((root / "a" / "b").c_str(), &status), 0);
  Cgroups cgroups({{"unified", root.string()}, {"cpu", root.string()}});
  EXPECT_EQ(cgroups.path(status.st_ino, ""), "unified:/a/b,cpu:/a/b");
  EXPECT_EQ(cgroups.path(status.st_ino, "c*"), "cpu:/a/b");
  std::filesystem::remove_all(root);
  EXPECT_EQ(cgroups.path(status.st_ino, "unified"), "unified:/a/b");
  EXPECT_EQ(cgroups.path(1, ""), "");
}

}  // namespace
}  // namespace trc::runtime
