#include "kernel/tracefs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace trc::kernel {
namespace {

constexpr const char* kFormat = R"(name: sched_process_exec
ID: 312
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:__data_loc char[] filename;	offset:8;	size:4;	signed:0;
	field:pid_t pid;	offset:12;	size:4;	signed:1;
	field:const char * path;	offset:16;	size:8;	signed:0;
	field:char comm[16];	offset:24;	size:16;	signed:0;
	field:const char *const * argv;	offset:40;	size:8;	signed:0;
	field:unsigned long args[6];	offset:48;	size:48;	signed:0;

print fmt: "field:x; %s", __get_str(filename)
)";

TEST(TracepointFormat, Fields) {
  const auto format = parse_tracepoint_format(kFormat);
  ASSERT_TRUE(format.has_value()) << format.error().message();
  EXPECT_EQ(format->id, 312u);
  ASSERT_EQ(format->fields.size(), 6u);
  const auto& f = format->fields;
  EXPECT_EQ(f[0].name + "|" + f[0].type, "filename|__data_loc char[]");
  EXPECT_EQ(f[1].name + "|" + f[1].type, "pid|pid_t");
  EXPECT_TRUE(f[1].is_signed);
  EXPECT_EQ(f[1].offset, 12u);
  EXPECT_EQ(f[2].name + "|" + f[2].type, "path|const char *");
  EXPECT_EQ(f[3].name + "|" + f[3].type, "comm|char[16]");
  EXPECT_EQ(f[3].size, 16u);
  EXPECT_EQ(f[4].name + "|" + f[4].type, "argv|const char *const *");
  EXPECT_EQ(f[5].name + "|" + f[5].type, "args|unsigned long[6]");
}

TEST(TracepointFormat, RefusesDamage) {
  EXPECT_FALSE(parse_tracepoint_format("").has_value());
  EXPECT_FALSE(parse_tracepoint_format("ID: x\n").has_value());
  EXPECT_FALSE(parse_tracepoint_format("ID: 1\n\tfield:int x;\toffset:8;\n").has_value());
  EXPECT_FALSE(parse_tracepoint_format("ID: 1\n\tfield:int x];\toffset:8;size:4;\n").has_value());
  EXPECT_FALSE(parse_tracepoint_format("ID: 1\n\tfield:int x;\toffset:99999999999;size:4;\n").has_value());
}

class TracefsFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "trc_tracefs_" + std::to_string(::getpid());
    std::filesystem::create_directories(directory_ + "/events/sched/sched_process_exec");
    std::filesystem::create_directories(directory_ + "/events/sched/no_format");
    std::ofstream(directory_ + "/events/sched/sched_process_exec/format") << kFormat;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(TracefsFolder, ListsByWalkingOrFromTheFile) {
  using ::testing::ElementsAre;
  EXPECT_THAT(*read_tracepoints(directory_), ElementsAre("sched:sched_process_exec"));
  std::ofstream(directory_ + "/available_events") << "sched:b\nsched:a\n";
  EXPECT_THAT(*read_tracepoints(directory_), ElementsAre("sched:a", "sched:b"));
}

TEST_F(TracefsFolder, ReadsOneFormat) {
  EXPECT_EQ(read_tracepoint_format(directory_, "sched", "sched_process_exec")->id, 312u);
  const auto missing = read_tracepoint_format(directory_, "sched", "nope");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ENOENT);
  EXPECT_EQ(read_tracepoint_format(directory_, "..", "sched").error().code(), ENOENT);
  EXPECT_EQ(read_tracepoint_format(directory_, "sched", "../sched/sched_process_exec").error().code(), ENOENT);
}

}  // namespace
}  // namespace trc::kernel
