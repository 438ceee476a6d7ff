#include "symbols/process_maps.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace trc::symbols {
namespace {

TEST(ParseMaps, ExecutableMappings) {
  const auto lines = parse_maps(
      "55d0c0a00000-55d0c0a28000 r--p 00000000 08:01 1048                       /usr/bin/cat\n"
      "55d0c0a28000-55d0c0b00000 r-xp 00028000 08:01 1048                       /usr/bin/cat\n"
      "7f0000000000-7f0000001000 r-xp 00001000 00:23 77                         /tmp/with space (deleted)\n"
      "7f0000002000-7f0000003000 rwxp 00000000 00:00 0 \n"
      "7ffd1b5d6000-7ffd1b5d8000 r-xp 00000000 00:00 0                          [vdso]\n");
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0].mapping.start, 0x55d0c0a28000U);
  EXPECT_EQ(lines[0].mapping.end, 0x55d0c0b00000U);
  EXPECT_EQ(lines[0].mapping.file_offset, 0x28000U);
  EXPECT_EQ(lines[0].mapping.path, "/usr/bin/cat");
  EXPECT_EQ(lines[0].mapping.inode, 1048U);
  EXPECT_EQ(lines[0].mapping.device, makedev(8, 1));
  EXPECT_FALSE(lines[0].deleted);
  EXPECT_EQ(lines[1].mapping.path, "/tmp/with space");
  EXPECT_TRUE(lines[1].deleted);
  EXPECT_EQ(lines[2].mapping.path, "");
  EXPECT_EQ(lines[3].mapping.path, "[vdso]");
}

TEST(ParseMaps, NonsenseIsPassedOver) {
  EXPECT_TRUE(parse_maps("").empty());
  EXPECT_TRUE(parse_maps("\n\nhello\n1000-2000\n1000-2000 r-x\n2000-1000 r-xp 0 0:0 0 x\nfffffffffffffffffff-1 r-xp 0 0:0 0 x\n").empty());
}

TEST(StartTime, IsKnownForProcessesThatAreThere) {
  EXPECT_TRUE(start_time(static_cast<std::uint32_t>(::getpid())));
  EXPECT_FALSE(start_time(0));
}

}  // namespace
}  // namespace trc::symbols
