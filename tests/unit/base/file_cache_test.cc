#include "base/file_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace trc {
namespace {

namespace fs = std::filesystem;

class FileCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "file_cache_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { fs::remove_all(root_); }
  std::size_t entries() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(root_ / "a/b"), fs::directory_iterator())); }

  fs::path root_;
};

TEST_F(FileCacheTest, MakesItsFolderForItsUserAlone) {
  const auto cache = FileCache::open(root_ / "a/b");
  ASSERT_NE(cache, nullptr);
  struct stat status {};
  ASSERT_EQ(::stat((root_ / "a/b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0700u);
}

TEST_F(FileCacheTest, FindsWhatWasStored) {
  const std::string content = std::string("a\0b", 3) + std::string(100000, 'x');
  FileCache::open(root_ / "a/b")->store("key", content);
  const auto cache = FileCache::open(root_ / "a/b");
  EXPECT_EQ(cache->find("key"), content);
  EXPECT_EQ(cache->find("another"), std::nullopt);
  cache->store("key", "new");
  EXPECT_EQ(cache->find("key"), "new");
  EXPECT_EQ(entries(), 1u);   // nothing unfinished
}

TEST_F(FileCacheTest, BelievesNothingThatOthersMayHaveWritten) {
  const auto cache = FileCache::open(root_ / "a/b");
  cache->store("key", "content");
  ASSERT_EQ(::chmod((root_ / "a/b/key").c_str(), 0620), 0);
  EXPECT_EQ(cache->find("key"), std::nullopt);
  ASSERT_EQ(::symlink("/etc/passwd", (root_ / "a/b/link").c_str()), 0);
  EXPECT_EQ(cache->find("link"), std::nullopt);
  ASSERT_EQ(::chmod((root_ / "a/b").c_str(), 0777), 0);
  EXPECT_EQ(FileCache::open(root_ / "a/b"), nullptr);
}

TEST_F(FileCacheTest, IsNullWhereThereCanBeNone) {
  EXPECT_EQ(FileCache::open(""), nullptr);
  EXPECT_EQ(FileCache::open("relative"), nullptr);
  EXPECT_EQ(FileCache::open("/proc/no/such/folder"), nullptr);
}

TEST_F(FileCacheTest, TheLongestUnusedGoFirst) {
  const auto cache = FileCache::open(root_ / "a/b");
  const auto now = fs::file_time_type::clock::now();
  for (std::size_t i = 0; i < FileCache::kMostEntries; ++i) {
    const fs::path path = root_ / "a/b" / std::to_string(i);
    std::ofstream(path) << i;
    fs::last_write_time(path, now - std::chrono::hours(48 + i));
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  }
  EXPECT_EQ(cache->find("999"), "999");   // the oldest, in use
  cache->store("new", "content");
  EXPECT_LE(entries(), FileCache::kMostEntries);
  EXPECT_GE(entries(), FileCache::kMostEntries / 2);
  EXPECT_TRUE(cache->find("new"));
  EXPECT_TRUE(cache->find("999"));
  EXPECT_TRUE(cache->find("0"));
  EXPECT_FALSE(cache->find("998"));
}

}  // namespace
}  // namespace trc
