#include "runtime/unwind/program_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "unit/build_program.h"

namespace trc::runtime {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class ProgramFilesTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(ProgramFilesTest, TheProgramAndAllThatItNeeds) {
  folder_.compile("libinner.so", "int inner(void) { return 1; }", "-shared -fPIC -Wl,-soname,libinner.so");
  folder_.compile("libouter.so", "int inner(void); int outer(void) { return inner(); }", "-shared -fPIC -Wl,-soname,libouter.so -L. -Wl,-rpath,'$ORIGIN'");
  // The linker's options come before the source, so the library is not dropped as unneeded.
  const std::string program =
      folder_.compile("program", "int outer(void); int main() { return outer(); }", "-Wl,--no-as-needed -L. -Wl,-rpath,'$ORIGIN' -Wl,--allow-shlib-undefined ./libouter.so");
  const auto files = files_of_program(program, {});
  ASSERT_FALSE(files.empty());
  EXPECT_EQ(files.front(), program);
  EXPECT_THAT(files, AllOf(Contains(EndsWith("/libouter.so")), Contains(EndsWith("/libc.so.6")), Contains(HasSubstr("ld-linux"))));
}

TEST_F(ProgramFilesTest, WhatIsPreloaded) {
  const std::string program = folder_.compile("program", "int main() { return 0; }");
  const auto files = files_of_program(program, {"A=B", "LD_PRELOAD=/x/one.so:/y/two.so /z/three.so"});
  EXPECT_THAT(files, AllOf(Contains("/x/one.so"), Contains("/y/two.so"), Contains("/z/three.so")));
}

TEST_F(ProgramFilesTest, AScriptsInterpreterInPlaceOfTheScript) {
  const std::string inner = folder_.write("inner", "#!/bin/sh\n"), outer = folder_.write("outer", "#!" + inner + " -x\n");
  const auto files = files_of_program(outer, {});
  ASSERT_FALSE(files.empty());
  EXPECT_EQ(files.front(), "/bin/sh");
  EXPECT_THAT(files, Not(Contains(inner)));
  // One that is its own interpreter.
  const std::string circle = folder_.path("circle");
  folder_.write("circle", "#!" + circle + "\n");
  EXPECT_THAT(files_of_program(circle, {}), testing::ElementsAre(circle));
}

TEST(ProgramFiles, OfNothingThereIsNothingToFind) {
  EXPECT_THAT(files_of_program("/nonexistent", {}), testing::ElementsAre("/nonexistent"));
  EXPECT_TRUE(environment_of(-1).empty());
  EXPECT_FALSE(environment_of(::getpid()).empty());
}

}  // namespace
}  // namespace trc::runtime
