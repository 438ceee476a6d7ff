// Processes are held while the unwind table of what they have mapped is made.
#include "runtime/unwind/map_stop.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "kernel/facts.h"
#include "runtime/proc.h"
#include "runtime/unwind/unwind_tables.h"
#include "unit/build_program.h"

namespace trc::runtime {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPlugin = "int answer(int x) { return x + 1; }";

trc_uw_file_key key_of(const std::string& path) {
  struct stat info {};
  ::stat(path.c_str(), &info);
  return {std::uint64_t{major(info.st_dev)} << 20 | minor(info.st_dev), info.st_ino};
}

template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    ::usleep(5000);
  }
  return false;
}

bool is_stopped(pid_t pid) {
  const auto status = process_status(pid);
  return status && status->state == 'T';
}

/// Maps a file executable when it gets a byte; ends with status 7 once it has done so.
struct Mapper {
  pid_t pid = -1;
  Fd go;
  explicit Mapper(const std::string& path) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    go.reset(ends[1]);
    pid = ::fork();
    if (pid == 0) {
      char byte = 0;
      if (::read(ends[0], &byte, 1) != 1) ::_exit(1);
      const int fd = ::open(path.c_str(), O_RDONLY);
      ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
      ::_exit(7);
    }
    ::close(ends[0]);
  }
  void map() const { (void)!::write(go.get(), "x", 1); }
  /// Its exit status; -1 if it does not end.
  int wait() const {
    int status = 0;
    const bool ended = eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
    if (!ended) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
    }
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

class MapStopTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
    path_ = folder_.compile("plugin.so", kPlugin, "-shared -fPIC");
  }
  static int files_of(const UnwindTables& tables) {
    for (const UnwindMaps::Named& map : tables.maps()) {
      if (std::string_view(map.name) == "trc_uw_files") return map.fd;
    }
    return -1;
  }

  TemporaryFolder folder_;
  std::string path_;
};

TEST_F(MapStopTest, AProcessGoesOnWhenItsFileIsThere) {
  auto maps = UnwindMaps::create().value();
  const Mapper mapper(path_);
  auto stop = MapStop::start({.pid = mapper.pid}, maps->maps()[0].fd, nullptr, MapStop::At::EveryMapping);
  ASSERT_TRUE(stop) << stop.error().message();
  mapper.map();
  ASSERT_TRUE(eventually([&] { return is_stopped(mapper.pid); }));
  std::vector<trc_map_stop_record> records;
  const MapStop::Want want = [&](const trc_map_stop_record& record) { records.push_back(record); };
  (*stop)->drain(want);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].pid, mapper.pid);
  EXPECT_EQ(records[0].key.inode, key_of(path_).inode);
  EXPECT_EQ(records[0].key.device, key_of(path_).device);
  EXPECT_EQ(records[0].end - records[0].start, 4096U);
  ::usleep(20000);
  EXPECT_TRUE(is_stopped(mapper.pid));
  (*stop)->done(mapper.pid, want);
  EXPECT_EQ(mapper.wait(), 7);
  EXPECT_EQ((*stop)->not_stopped(), 0U);
}

TEST_F(MapStopTest, AProcessGoesOnWhenNobodyWillMakeItsTable) {
  auto maps = UnwindMaps::create().value();
  const Mapper mapper(path_);
  auto stop = MapStop::start({.pid = mapper.pid}, maps->maps()[0].fd, nullptr, MapStop::At::EveryMapping);
  ASSERT_TRUE(stop) << stop.error().message();
  mapper.map();
  ASSERT_TRUE(eventually([&] { return is_stopped(mapper.pid); }));
  stop->reset();
  EXPECT_EQ(mapper.wait(), 7);
}

TEST_F(MapStopTest, AProcessGoesOnWhenTheTracerIsKilled) {
  const Mapper mapper(path_);
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t tracer = ::fork();
  if (tracer == 0) {
    auto maps = UnwindMaps::create();
    auto stop = MapStop::start({.pid = mapper.pid}, (*maps)->maps()[0].fd, nullptr, MapStop::At::EveryMapping);
    if (stop) (void)!::write(ready[1], "x", 1);
    while (true) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  mapper.map();
  EXPECT_TRUE(eventually([&] { return is_stopped(mapper.pid); }));
  ::kill(tracer, SIGKILL);
  ::waitpid(tracer, nullptr, 0);
  EXPECT_EQ(mapper.wait(), 7);
}

TEST_F(MapStopTest, OthersAreLeftAlone) {
  auto maps = UnwindMaps::create().value();
  const Mapper mapper(path_), other(path_);
  auto stop = MapStop::start({.pid = mapper.pid}, maps->maps()[0].fd, nullptr, MapStop::At::EveryMapping);
  ASSERT_TRUE(stop) << stop.error().message();
  other.map();
  EXPECT_EQ(other.wait(), 7);
  mapper.map();
  ASSERT_TRUE(eventually([&] { return is_stopped(mapper.pid); }));
  stop->reset();
  EXPECT_EQ(mapper.wait(), 7);
}

TEST_F(MapStopTest, FilesThatHaveATableHoldNobody) {
  auto tables = UnwindTables::start().value();
  tables->want_file(path_, Urgency::Now);
  ASSERT_TRUE(tables->wait(20s));
  const Mapper mapper(path_);
  auto stop = MapStop::start({.pid = mapper.pid}, files_of(*tables), nullptr, MapStop::At::EveryMapping);
  ASSERT_TRUE(stop) << stop.error().message();
  mapper.map();
  EXPECT_EQ(mapper.wait(), 7);
}

/// In a process of its own: threads that load libraries as fast as they can, and look whether the table of each is there when its first
/// instruction can run. The number of those that had none.
int storm(const std::vector<std::string>& libraries, int files) {
  std::atomic<std::size_t> next = 0;
  std::atomic<int> late = 0;
  const auto state_of = [files](const std::string& path) {
    const trc_uw_file_key key = key_of(path);
    const auto bytes = kernel::lookup({.fd = files, .key_size = sizeof key, .value_size = sizeof(trc_uw_file), .max_entries = TRC_UW_MAX_FILES},
                                      std::as_bytes(std::span(&key, 1)));
    trc_uw_file value{};
    if (bytes && bytes->size() >= sizeof value) std::memcpy(&value, bytes->data(), sizeof value);
    return value.state;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (std::size_t mine = next++; mine < libraries.size(); mine = next++) {
        // The last system call before the code can run.
        const int fd = ::open(libraries[mine].c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0 || ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) ++late;
        if (state_of(libraries[mine]) != TRC_UW_FILE_READY) ++late;
        ::close(fd);
        void* library = ::dlopen(libraries[mine].c_str(), RTLD_NOW);
        if (library == nullptr) ++late;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return std::min(late.load(), 100);
}

TEST_F(MapStopTest, NoTableIsLateInAStormOfThreads) {
  std::vector<std::string> libraries;
  for (int i = 0; i < 200; ++i) {
    libraries.push_back(folder_.path("copy" + std::to_string(i) + ".so"));
    std::filesystem::copy_file(path_, libraries.back());
  }
  auto tables = UnwindTables::start().value();
  const int files = files_of(*tables);
  int go[2];
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    if (::read(go[0], &byte, 1) != 1) ::_exit(101);
    ::_exit(storm(libraries, files));
  }
  const auto stopping = tables->hold_at(MapStop::At::EveryMapping, {.pid = child}, nullptr);
  ASSERT_TRUE(stopping) << stopping.error().message();
  (void)!::write(go[1], "x", 1);
  int status = 0;
  const bool ended = eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; });
  if (!ended) ::kill(child, SIGKILL);
  ASSERT_TRUE(ended);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_GE(tables->counts().tables, libraries.size());
  EXPECT_EQ(tables->not_stopped(), 0U);
}

}  // namespace
}  // namespace trc::runtime
