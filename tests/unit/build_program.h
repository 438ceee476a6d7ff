// Small programs that tests compile when they run, in a folder that goes with the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace trc {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = ::testing::TempDir() + "trc_test_XXXXXX";
    path_ = ::mkdtemp(name.data());
    path_ = std::filesystem::canonical(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  /// Runs a shell command in the folder; true if it ends with status 0.
  bool run(const std::string& command) const { return std::system(("cd '" + path_ + "' && " + command).c_str()) == 0; }
  /// Compiles C text (or assembly, with "-x assembler") to `name`; fails the test if that fails.
  std::string compile(const std::string& name, const std::string& source, const std::string& options = "") const {
    write(name + ".c", source);
    EXPECT_TRUE(run("gcc -w " + options + " -o '" + name + "' '" + name + ".c'")) << source;
    return path(name);
  }

 private:
  std::string path_;
};

}  // namespace trc
