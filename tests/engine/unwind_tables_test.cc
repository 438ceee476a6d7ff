// Unwind tables as programs in the kernel find them.
#include "runtime/unwind/unwind_tables.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/read_file.h"
#include "kernel/facts.h"
#include "runtime/engine.h"
#include "symbols/elf_reader.h"
#include "symbols/process_maps.h"
#include "unit/build_program.h"

namespace trc::runtime {
namespace {

using namespace std::chrono_literals;
using image::MapRole;

constexpr std::size_t kPlaces = 4096;   // as in unwind_lookup.bpf.c
constexpr std::uint64_t kUnknownFile = ~std::uint64_t{0};
constexpr std::uint64_t not_ready(trc_uw_file_state state) { return std::uint64_t{state} << 32 | 0xffffffff; }

struct Place {
  trc_uw_file_key file;
  std::uint64_t offset = 0;
};

trc_uw_file_key key_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return {std::uint64_t{major(info.st_dev)} << 20 | minor(info.st_dev), info.st_ino};
}

symbols::UnwindTable table_of(const std::string& path) { return symbols::build_unwind_table(symbols::ElfReader::open(path).value()).value(); }

std::uint64_t rule_at(const symbols::UnwindTable& table, std::uint64_t offset) {
  const auto after = std::upper_bound(table.rows.begin(), table.rows.end(), offset, [](std::uint64_t o, const symbols::UnwindRow& row) { return o < row.offset; });
  return after == table.rows.begin() ? std::uint64_t{TRC_UW_NONE} : table.rules[std::prev(after)->rule];
}

/// The file that a library of this process lies in.
std::string library(const std::string& name) {
  for (const symbols::MapsLine& line : symbols::parse_maps(read_file("/proc/self/maps").value())) {
    if (line.mapping.path.find("/" + name) != std::string::npos) return line.mapping.path;
  }
  return "";
}

class UnwindTablesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
    auto tables = UnwindTables::start();
    ASSERT_TRUE(tables) << tables.error().message();
    tables_ = std::move(*tables);
    engine_ = make_kernel_engine({.online_cpus = {0}});
    image_.object = read_file(TRC_UNWIND_LOOKUP_OBJECT).value();
    image_.maps = {{.name = "ring", .role = MapRole::Ring, .bpf_type = BPF_MAP_TYPE_RINGBUF, .max_entries = 65536},
                   {.name = "places", .role = MapRole::Given}};
    for (const UnwindMaps::Named& map : tables_->maps()) {
      image_.maps.push_back({.name = map.name, .role = MapRole::Given});
      engine_->provide_map(map.name, map.fd);
    }
    image_.programs = {{.name = "look_up_all", .kind = lang::ProgramKind::TestRun}};
    image_.settings.ring_pages = 32;
    places_ = kernel::create_map({.name = "places", .type = BPF_MAP_TYPE_ARRAY, .value_size = sizeof(Place), .max_entries = kPlaces}).value();
    engine_->provide_map("places", places_.get());
    const auto loaded = engine_->load(image_, {});
    ASSERT_TRUE(loaded) << loaded.error().message() << "\n" << engine_->verifier_log();
  }

  /// What a program finds there.
  std::vector<std::uint64_t> look_up(const std::vector<Place>& places) {
    for (std::uint32_t i = 0; i < kPlaces; ++i) {
      const Place place = i < places.size() ? places[i] : Place{};
      EXPECT_TRUE(kernel::update({.fd = places_.get(), .key_size = 4, .value_size = sizeof place, .max_entries = kPlaces}, std::as_bytes(std::span(&i, 1)),
                                 std::as_bytes(std::span(&place, 1)), false));
    }
    EXPECT_TRUE(engine_->run(0));
    std::vector<std::uint64_t> rules;
    const auto drained = engine_->drain([&](std::span<const std::byte> record) {
      std::uint64_t rule = 0;
      if (record.size() >= sizeof rule) std::memcpy(&rule, record.data(), sizeof rule);
      rules.push_back(rule);
      return true;
    });
    EXPECT_EQ(drained.value(), kPlaces);
    rules.resize(places.size());
    return rules;
  }
  std::uint64_t look_up(const trc_uw_file_key& file, std::uint64_t offset) { return look_up({{file, offset}}).front(); }

  /// Rows all over the file's table, where they begin and just before.
  void expect_table(const trc_uw_file_key& file, const symbols::UnwindTable& table) {
    std::vector<Place> places{{file, 0}, {file, table.rows.back().offset + (64 << 20)}};
    const std::size_t step = std::max<std::size_t>(1, table.rows.size() / (kPlaces / 2 - 2));
    for (std::size_t i = 0; i < table.rows.size() && places.size() + 2 <= kPlaces; i += step) {
      places.push_back({file, table.rows[i].offset});
      if (table.rows[i].offset > 0) places.push_back({file, table.rows[i].offset - 1});
    }
    const std::vector<std::uint64_t> rules = look_up(places);
    for (std::size_t i = 0; i < places.size(); ++i) ASSERT_EQ(rules[i], rule_at(table, places[i].offset)) << std::hex << places[i].offset;
  }

  bool wait() { return tables_->wait(20s); }
  /// For what nobody waits for.
  template <class Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 500; ++i) {
      if (condition()) return true;
      ::usleep(10000);
    }
    return false;
  }

  TemporaryFolder folder_;
  image::ProgramImage image_;
  std::unique_ptr<UnwindTables> tables_;
  std::unique_ptr<Engine> engine_;
  Fd places_;
};

TEST_F(UnwindTablesTest, ProgramsFindTheRuleOfEveryPlace) {
  for (const char* name : {"libc.so", "libstdc++.so"}) tables_->want_file(library(name), Urgency::Now);
  ASSERT_TRUE(wait());
  for (const char* name : {"libc.so", "libstdc++.so"}) expect_table(key_of(library(name)), table_of(library(name)));
  expect_table({0, 0}, symbols::build_vdso_unwind_table().value());
  const UnwindTables::Counts counts = tables_->counts();
  EXPECT_EQ(counts.tables, 2U);
  EXPECT_EQ(counts.failed, 0U);
  EXPECT_EQ(look_up({7, 7}, 0), kUnknownFile);
}

TEST_F(UnwindTablesTest, AFileThatIsWantedTwiceHasOneTable) {
  tables_->want_file(library("libc.so"), Urgency::Now);
  ASSERT_TRUE(wait());
  const auto before = tables_->counts();
  tables_->want_file(library("libc.so"), Urgency::Now);
  tables_->want_process(static_cast<std::uint32_t>(::getpid()), Urgency::Now);
  ASSERT_TRUE(wait());
  EXPECT_GT(tables_->counts().tables, before.tables);   // the other files of this process
  const auto after = tables_->counts();
  tables_->want_process(static_cast<std::uint32_t>(::getpid()), Urgency::Now);
  ASSERT_TRUE(wait());
  EXPECT_EQ(tables_->counts().usage.rows, after.usage.rows);
}

TEST_F(UnwindTablesTest, AFileThatIsReplacedInPlaceGetsANewTable) {
  const std::string path = folder_.compile("one", "int f(int x) { return x; } int main() { return f(0); }", "-O0");
  const std::string other = folder_.compile("two", "int g(int x) { volatile char room[5000]; return room[x]; } int main() { return g(0); }", "-O2 -fcf-protection=none");
  tables_->want_file(path, Urgency::Now);
  ASSERT_TRUE(wait());
  expect_table(key_of(path), table_of(path));
  const trc_uw_file_key key = key_of(path);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << read_file(other).value();
  ASSERT_EQ(key_of(path).inode, key.inode);
  tables_->want_file(path, Urgency::Now);
  ASSERT_TRUE(wait());
  expect_table(key, table_of(other));
  EXPECT_EQ(tables_->counts().tables, 2U);
}

TEST_F(UnwindTablesTest, FilesWithoutTablesAreBare) {
  const std::string path = folder_.write("text", "no program");
  tables_->want_file(path, Urgency::Now);
  ASSERT_TRUE(wait());
  EXPECT_EQ(look_up(key_of(path), 0), not_ready(TRC_UW_FILE_BARE));
  EXPECT_TRUE(tables_->take_complaints().empty());
}

TEST_F(UnwindTablesTest, AProgramThatMeetsAFileGetsIt) {
  // The file has no path any more, only a mapping of a process.
  const std::string path = folder_.compile("program", "int main() { return 0; }");
  const symbols::UnwindTable expected = table_of(path);
  const trc_uw_file_key key = key_of(path);
  const Fd fd(::open(path.c_str(), O_RDONLY));
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  ::unlink(path.c_str());
  const auto start = reinterpret_cast<std::uint64_t>(memory);
  tables_->asked({.event = 0, .program = 0, .key = key, .start = start, .end = start + 4096, .tgid = static_cast<unsigned>(::getpid()), .reserved = 0});
  ASSERT_TRUE(wait());
  expect_table(key, expected);
  ::munmap(memory, 4096);
  // One that is gone when its turn comes can be asked for again.
  tables_->asked({.event = 0, .program = 0, .key = {key.device, key.inode + 1000000}, .start = start, .end = start + 4096, .tgid = static_cast<unsigned>(::getpid()), .reserved = 0});
  ASSERT_TRUE(wait());
  EXPECT_EQ(look_up({key.device, key.inode + 1000000}, 0), kUnknownFile);
}

TEST_F(UnwindTablesTest, AMappingThatIsOfAnotherFileByNowIsNotTaken) {
  const std::string path = folder_.compile("program", "int main() { return 0; }");
  const Fd fd(::open(path.c_str(), O_RDONLY));
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  const auto start = reinterpret_cast<std::uint64_t>(memory);
  const trc_uw_file_key other{key_of(path).device, key_of(path).inode + 1};
  tables_->asked({.event = 0, .program = 0, .key = other, .start = start, .end = start + 4096, .tgid = static_cast<unsigned>(::getpid()), .reserved = 0});
  ASSERT_TRUE(wait());
  EXPECT_EQ(look_up(other, 0), kUnknownFile);
  ::munmap(memory, 4096);
}

TEST_F(UnwindTablesTest, AFileOnOverlayfsIsTheOneBeneath) {
  const std::string lower = folder_.path("lower"), merged = folder_.path("merged");
  ASSERT_TRUE(folder_.run("mkdir lower upper work merged"));
  const std::string program = folder_.compile("lower/program", "int main() { return 0; }");
  if (!folder_.run("mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged 2>/dev/null")) GTEST_SKIP() << "overlayfs cannot be mounted";
  tables_->want_file(merged + "/program", Urgency::Now);
  EXPECT_TRUE(wait());
  EXPECT_NE(key_of(merged + "/program").device, key_of(program).device);
  expect_table(key_of(program), table_of(program));
  EXPECT_TRUE(folder_.run("umount merged"));
}

TEST_F(UnwindTablesTest, FilesThatProcessesMapAreLoadedWithoutAsking) {
  ASSERT_TRUE(tables_->watch({}, kernel::system_facts().online_cpus()));
  const std::string path = folder_.compile("program", "int main() { return 0; }");
  ASSERT_EQ(std::system(path.c_str()), 0);
  ASSERT_TRUE(eventually([&] { return look_up(key_of(path), 0) != kUnknownFile; }));
  expect_table(key_of(path), table_of(path));
  EXPECT_EQ(tables_->counts().asked, 0U);
}

TEST_F(UnwindTablesTest, MoreRowsThanTheFirstChunksHold) {
  // Many copies of one library: a table each, since they are different files.
  const std::string source = library("libstdc++.so");
  const symbols::UnwindTable expected = table_of(source);
  std::vector<std::string> copies;
  const std::size_t needed = 5 * std::size_t{TRC_UW_CHUNK_BLOCKS} * TRC_UW_BLOCK_ROWS / expected.rows.size() + 1;
  for (std::size_t i = 0; i < needed; ++i) {
    copies.push_back(folder_.path("copy" + std::to_string(i)));
    std::filesystem::copy_file(source, copies.back());
    tables_->want_file(copies.back(), Urgency::Now);
  }
  ASSERT_TRUE(wait());
  expect_table(key_of(copies.front()), expected);
  expect_table(key_of(copies.back()), expected);
  EXPECT_EQ(tables_->counts().failed, 0U);
  EXPECT_GE(tables_->counts().usage.chunks, 6U);
}

TEST_F(UnwindTablesTest, WhatDoesNotFitIsSaid) {
  // Code at both ends of a file that is larger than all pages together.
  const std::string path = folder_.compile("program", "int main() { return 0; }");
  std::string bytes = read_file(path).value();
  symbols::UnwindTable table = table_of(path);
  auto maps = UnwindMaps::create().value();
  table.rows.push_back({std::uint64_t{TRC_UW_MAX_PAGES} << (TRC_UW_PAGE_SHIFT + 1), 1});
  table.rows.push_back({(std::uint64_t{TRC_UW_MAX_PAGES} << (TRC_UW_PAGE_SHIFT + 1)) + 8, 0});
  const auto inserted = maps->insert({1, 2}, table);
  ASSERT_FALSE(inserted);
  EXPECT_THAT(inserted.error().message(), testing::HasSubstr("full"));
  EXPECT_EQ(maps->find({1, 2})->state, unsigned{TRC_UW_FILE_FAILED});
}

TEST_F(UnwindTablesTest, MoreRulesThanTheDictionaryHolds) {
  auto maps = UnwindMaps::create().value();
  for (int part = 0; part < 3; ++part) {
    symbols::UnwindTable table;
    table.rules.push_back(TRC_UW_NONE);
    for (int i = 1; i < 30000; ++i) {
      table.rules.push_back(TRC_UW_RULE(TRC_UW_SP, 0, part, 0, i * 8));
      table.rows.push_back({static_cast<std::uint64_t>(i) * 16, static_cast<std::uint64_t>(i)});
    }
    table.rows.push_back({480000, 0});
    EXPECT_TRUE(maps->insert({1, static_cast<std::uint64_t>(part)}, table));
  }
  EXPECT_EQ(maps->usage().rules, unsigned{TRC_UW_MAX_RULES});
}

}  // namespace
}  // namespace trc::runtime
