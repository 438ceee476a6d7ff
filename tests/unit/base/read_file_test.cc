#include "base/read_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace trc {
namespace {

TEST(ReadFile, WholeFileWithNulBytes) {
  const std::string path = testing::TempDir() + "read_file_test." + std::to_string(::getpid());
  const std::string content = std::string("a\0b\n", 4) + std::string(100000, 'x');
  std::ofstream(path, std::ios::binary) << content;
  const Result<std::string> read = read_file(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, content);
}

TEST(ReadFile, FileOfUnknownSize) {
  const Result<std::string> read = read_file("/proc/self/status");
  ASSERT_TRUE(read);
  EXPECT_NE(read->find("Pid:"), std::string::npos);
}

TEST(ReadFile, SaysWhatFailed) {
  const Result<std::string> missing = read_file("/nonexistent/x");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message(), "open /nonexistent/x: No such file or directory");
  EXPECT_EQ(missing.error().code(), ENOENT);
  EXPECT_FALSE(read_file("/"));  // a directory opens, but cannot be read
}

}  // namespace
}  // namespace trc
