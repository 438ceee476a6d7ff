#include "symbols/generated_code.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "symbols/symbolizer.h"

namespace trc::symbols {
namespace {

std::string at(const GeneratedNames& names, std::uint64_t address, std::uint64_t time = kNow) {
  const auto* range = names.find(address, time);
  return range == nullptr ? "-" : range->value + "+" + std::to_string(address - range->origin);
}

TEST(PerfMap, Lines) {
  GeneratedNames names;
  const std::string text = "1000 20 LazyCompile:~main /a b.js:1\n0x2000 0x10 with prefix\n3000 10 no end of line";
  EXPECT_EQ(read_perf_map(text, 0, names), text.rfind('\n') + 1);
  EXPECT_EQ(at(names, 0x1000), "LazyCompile:~main /a b.js:1+0");
  EXPECT_EQ(at(names, 0x101f), "LazyCompile:~main /a b.js:1+31");
  EXPECT_EQ(at(names, 0x1020), "-");
  EXPECT_EQ(at(names, 0x2001), "with prefix+1");
  EXPECT_EQ(at(names, 0x3001), "-");
}

TEST(PerfMap, Nonsense) {
  GeneratedNames names;
  read_perf_map("\n\nhello\n10\n10 20\n10 20 \nffffffffffffffff 10 beyond the end\n0 0 nothing\n1000 zz x\nfffffffffffffffffff 1 x\n", 0, names);
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x10}, std::uint64_t{0x1000}, ~std::uint64_t{0}}) EXPECT_EQ(at(names, address), "-");
}

TEST(PerfMap, CodeThatIsReplaced) {
  GeneratedNames names;
  read_perf_map("1000 100 first\n", 0, names);
  read_perf_map("1080 100 second\n", 50, names);
  EXPECT_EQ(at(names, 0x1090, 49), "first+144");
  EXPECT_EQ(at(names, 0x1090, 50), "second+16");
  EXPECT_EQ(at(names, 0x107f, 50), "first+127");
}

/// A jitdump as a program writes it.
class Dump {
 public:
  explicit Dump(std::uint64_t flags = 0) {
    for (const std::uint32_t word : {0x4A695444U, 1U, 40U, 62U, 0U, 7U}) put(word);
    put(std::uint64_t{1});
    put(flags);
  }
  void load(std::uint64_t time, std::uint64_t address, std::uint64_t size, std::uint64_t index, const std::string& name) {
    record(0, 16 + 40 + name.size() + 1 + size, time);
    put(std::uint64_t{0});
    for (const std::uint64_t word : {address, address, size, index}) put(word);
    bytes += name + '\0' + std::string(size, '\x90');
  }
  void move(std::uint64_t time, std::uint64_t from, std::uint64_t to, std::uint64_t size, std::uint64_t index) {
    record(1, 16 + 48, time);
    put(std::uint64_t{0});
    for (const std::uint64_t word : {to, from, to, size, index}) put(word);
  }
  JitDump::Read reader() {
    return [this](std::uint64_t offset, std::uint64_t size) { return offset < bytes.size() ? bytes.substr(offset, size) : std::string(); };
  }
  template <class T>
  void put(T value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void record(std::uint32_t kind, std::size_t size, std::uint64_t time) {
    put(kind);
    put(static_cast<std::uint32_t>(size));
    put(time);
  }
  std::string bytes;
};

TEST(JitDumpFile, LoadsAndMovesInTime) {
  Dump dump;
  dump.load(100, 0x1000, 0x20, 1, "one");
  dump.load(200, 0x1000, 0x10, 2, "two");
  dump.move(300, 0x1000, 0x5000, 0x20, 1);
  GeneratedNames names;
  JitDump reader;
  reader.read(dump.reader(), names);
  EXPECT_EQ(at(names, 0x1001, 99), "-");
  EXPECT_EQ(at(names, 0x1001, 100), "one+1");
  EXPECT_EQ(at(names, 0x1001, 200), "two+1");
  EXPECT_EQ(at(names, 0x5002, 299), "-");
  EXPECT_EQ(at(names, 0x5002, 300), "one+2");
}

TEST(JitDumpFile, ReadAsItGrows) {
  Dump dump;
  dump.load(100, 0x1000, 0x20, 1, "one");
  const std::string all = dump.bytes;
  GeneratedNames names;
  JitDump reader;
  for (std::size_t size = 0; size <= all.size(); size++) {
    dump.bytes = all.substr(0, size);
    reader.read(dump.reader(), names);
    EXPECT_EQ(at(names, 0x1000), size < all.size() ? "-" : "one+0") << size;
  }
}

TEST(JitDumpFile, DamageEndsIt) {
  GeneratedNames names;
  Dump other;
  other.bytes[0] = 'x';
  other.load(1, 0x1000, 0x20, 1, "one");
  JitDump().read(other.reader(), names);
  EXPECT_EQ(at(names, 0x1000), "-");
  Dump loop;
  loop.record(0, 0, 1);   // a size that would never move on
  loop.load(1, 0x1000, 0x20, 1, "one");
  JitDump().read(loop.reader(), names);
  EXPECT_EQ(at(names, 0x1000), "-");
}

TEST(JitDumpFile, TimesOfAnotherClockAreNotUsed) {
  Dump dump(1);
  dump.load(~std::uint64_t{0} - 1, 0x1000, 0x20, 1, "one");
  GeneratedNames names;
  JitDump().read(dump.reader(), names);
  EXPECT_EQ(at(names, 0x1000, 5), "one+0");
}

/// This process as one that generates code: executable memory and a perf map.
class OwnCode : public testing::Test {
 protected:
  OwnCode() : memory_(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~OwnCode() override {
    ::munmap(memory_, 8192);
    std::filesystem::remove(map_);
  }
  void SetUp() override { ASSERT_NE(memory_, MAP_FAILED); }
  std::uint64_t address() const { return reinterpret_cast<std::uint64_t>(memory_); }
  void tell(std::uint64_t start, const std::string& name) const { std::ofstream(map_, std::ios::app) << std::hex << start << " 10 " << name << "\n"; }

  void* memory_;
  const std::uint32_t pid_ = static_cast<std::uint32_t>(::getpid());
  const std::string map_ = "/tmp/perf-" + std::to_string(pid_) + ".map";
};

TEST_F(OwnCode, IsNamedByThePerfMapAsItGrows) {
  tell(address(), "first");
  Symbolizer symbols;
  const Frame frame = symbols.user(pid_, address() + 3);
  EXPECT_EQ(frame.symbol, "first");
  EXPECT_EQ(frame.offset, 3U);
  EXPECT_EQ(frame.module, map_);
  EXPECT_EQ(symbols.user(pid_, address() + 0x20).symbol, "");
  tell(address() + 0x20, "second");
  EXPECT_EQ(symbols.user(pid_, address() + 0x20).symbol, "second");
}

TEST_F(OwnCode, IsNamedByAPerfMapThatCameBetweenALookAndItsFirstRun) {
  Symbolizer symbols;
  symbols.snapshot(pid_);
  EXPECT_EQ(symbols.user(pid_, address()).symbol, "");
  tell(address(), "first");
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto ran = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  EXPECT_EQ(symbols.user(pid_, address(), ran).symbol, "first");
}

TEST_F(OwnCode, AMapOfAnotherUserOrAnEarlierProcessIsNotBelieved) {
  tell(address(), "first");
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(map_.c_str(), 12345, 12345), 0);
    EXPECT_EQ(Symbolizer().user(pid_, address()).symbol, "");
    ASSERT_EQ(::chown(map_.c_str(), 0, 0), 0);
  }
  EXPECT_EQ(Symbolizer().user(pid_, address()).symbol, "first");
  const timespec long_ago[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, map_.c_str(), long_ago, 0), 0);
  EXPECT_EQ(Symbolizer().user(pid_, address()).symbol, "");
  std::filesystem::remove(map_);
  std::filesystem::create_symlink("/etc/passwd", map_);
  EXPECT_EQ(Symbolizer().user(pid_, address()).symbol, "");
}

TEST_F(OwnCode, IsNamedByAJitDump) {
  const std::string path = "/tmp/jit-" + std::to_string(pid_) + ".dump";
  Dump dump;
  dump.load(0, address() + 0x100, 0x40, 1, "compiled");
  std::ofstream(path, std::ios::binary) << dump.bytes;
  const int fd = ::open(path.c_str(), O_RDONLY);
  void* marker = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  ::close(fd);
  ASSERT_NE(marker, MAP_FAILED);
  Symbolizer symbols;
  symbols.snapshot(pid_);
  std::filesystem::remove(path);
  EXPECT_EQ(symbols.user(pid_, address() + 0x101).symbol, "compiled");
  EXPECT_EQ(symbols.user(pid_, address() + 0x101).offset, 1U);
  ::munmap(marker, 4096);
}

}  // namespace
}  // namespace trc::symbols
