#include "symbols/process_maps.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "symbols/module.h"

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

std::shared_ptr<Module> module(const char* name) { return std::make_shared<Module>(name); }

std::string at(const AddressSpace& space, std::uint64_t address) {
  const Region* region = space.find(address);
  return region == nullptr ? "-" : region->module->path();
}

TEST(AddressSpace, FindsTheRegionOfAnAddress) {
  AddressSpace space;
  space.put({0x2000, 0x3000, 0, module("b")});
  space.put({0x1000, 0x2000, 0, module("a")});
  space.put({0x5000, 0x6000, 0, module("c")});
  EXPECT_EQ(at(space, 0xfff), "-");
  EXPECT_EQ(at(space, 0x1000), "a");
  EXPECT_EQ(at(space, 0x1fff), "a");
  EXPECT_EQ(at(space, 0x2000), "b");
  EXPECT_EQ(at(space, 0x3000), "-");
  EXPECT_EQ(at(space, 0x5fff), "c");
  EXPECT_EQ(at(space, ~std::uint64_t{0}), "-");
}

TEST(AddressSpace, WhatIsMappedLaterWins) {
  AddressSpace space;
  space.put({0x1000, 0x9000, 0x100000, module("old")});
  space.put({0x3000, 0x5000, 0, module("new")});
  EXPECT_EQ(at(space, 0x2fff), "old");
  EXPECT_EQ(at(space, 0x3000), "new");
  EXPECT_EQ(at(space, 0x5000), "old");
  // The part behind the hole still leads to the same bytes of the file.
  const Region* rest = space.find(0x5000);
  EXPECT_EQ(0x5000 - rest->start + rest->file_offset, 0x104000U);
  space.put({0, 0x10000, 0, module("all")});
  EXPECT_EQ(at(space, 0x3000), "all");
  EXPECT_EQ(at(space, 0x8fff), "all");
}

TEST(AddressSpace, MatchesASimpleModel) {
  AddressSpace space;
  std::vector<int> model(256, -1);
  std::uint32_t state = 7;
  const auto random = [&](std::uint32_t limit) { return ((state = state * 1664525 + 1013904223) >> 8) % limit; };
  for (int i = 0; i < 300; i++) {
    const std::uint32_t start = random(256), end = start + random(40);
    space.put({start, end, 0, module(std::to_string(i).c_str())});
    for (std::uint32_t a = start; a < std::min<std::uint32_t>(end, 256); a++) model[a] = i;
    for (std::uint32_t a = 0; a < 256; a++) ASSERT_EQ(at(space, a), model[a] < 0 ? "-" : std::to_string(model[a])) << i << " " << a;
  }
}

}  // namespace
}  // namespace trc::symbols
