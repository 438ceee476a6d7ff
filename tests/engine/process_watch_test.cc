#include "runtime/process_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernel/facts.h"
#include "runtime/session.h"

namespace trc::runtime {
namespace {

/// Where the executable part of libc begins, as /proc/PID/maps had it.
std::uint64_t code_of_libc(const std::string& maps_file) {
  std::ifstream in(maps_file);
  for (std::string line; std::getline(in, line);) {
    std::uint64_t begin = 0;
    if (line.find("r-xp") != std::string::npos && line.find("libc") != std::string::npos && std::sscanf(line.c_str(), "%lx", &begin) == 1) return begin;
  }
  return 0;
}

class ProcessWatchTest : public testing::TestWithParam<bool> {};

TEST_P(ProcessWatchTest, NamesAddressesOfAProcessThatIsGone) {
  if (const auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
  const std::string copy = "/tmp/trc_watch_" + std::to_string(::getpid());
  auto child = Child::start("sh -c 'sh -c \"exec cat /proc/self/maps > " + copy + "\"; echo $? > /dev/null'");
  ASSERT_TRUE(child);
  symbols::Symbolizer symbolizer;
  const bool only_child = GetParam();
  const probes::Scope scope = only_child ? probes::Scope{.pid = (*child)->pid(), .is_child = true} : probes::Scope{};
  auto watch = ProcessWatch::start(symbolizer, scope, kernel::system_facts().online_cpus());
  ASSERT_NE(watch, nullptr);
  ASSERT_TRUE((*child)->release());
  pollfd gone{.fd = (*child)->pidfd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&gone, 1, 10000), 1);
  ASSERT_EQ((*child)->status(), 0);   // reaped: nothing of it is left in /proc
  watch->drain();
  // The process of cat was a grandchild; the shell tells no number, so every candidate after the child's is tried.
  const std::uint64_t address = code_of_libc(copy) + 0x1000;
  ASSERT_NE(address, 0x1000U);
  bool named = false;
  for (std::int32_t pid = (*child)->pid(); pid < (*child)->pid() + 500 && !named; ++pid) {
    if (::access(("/proc/" + std::to_string(pid)).c_str(), F_OK) == 0) continue;
    named = symbolizer.user(static_cast<std::uint32_t>(pid), address).module.find("libc") != std::string::npos;
  }
  EXPECT_TRUE(named);
  ::unlink(copy.c_str());
}

/// In a process of its own: maps code more often than the buffers have room for, and at last a file that stays.
[[noreturn]] void map_often(int go, int done, const char* often, const char* at_last) {
  char byte = 0;
  if (::read(go, &byte, 1) != 1) ::_exit(1);
  const auto map = [](const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    void* const place = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    ::close(fd);
    return place;
  };
  for (int i = 0; i < 20000; ++i) ::munmap(map(often), 4096);
  const auto address = reinterpret_cast<std::uint64_t>(map(at_last));
  if (::write(done, &address, sizeof address) != sizeof address) ::_exit(1);
  while (true) ::pause();
}

TEST(ProcessWatchLosses, MapsAreReadAgain) {
  if (const auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
  const std::string at_last = "/tmp/trc_watch_lost_" + std::to_string(::getpid());
  std::filesystem::copy_file("/proc/self/exe", at_last, std::filesystem::copy_options::overwrite_existing);
  int go[2], done[2];
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(done, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) map_often(go[0], done[1], "/proc/self/exe", at_last.c_str());
  symbols::Symbolizer symbolizer;
  const auto watch = ProcessWatch::start(symbolizer, {.pid = child, .is_child = true}, kernel::system_facts().online_cpus());
  ASSERT_NE(watch, nullptr);
  std::uint64_t address = 0;
  EXPECT_EQ(::write(go[1], "x", 1), 1);
  EXPECT_EQ(::read(done[0], &address, sizeof address), static_cast<ssize_t>(sizeof address));
  watch->drain();
  EXPECT_GT(watch->lost(), 0U);
  EXPECT_EQ(symbolizer.user(static_cast<std::uint32_t>(child), address + 16).module, at_last);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::unlink(at_last.c_str());
}

INSTANTIATE_TEST_SUITE_P(Scopes, ProcessWatchTest, testing::Values(true, false),
                         [](const auto& only_child) { return only_child.param ? "OfTheCommand" : "OfTheSystem"; });

}  // namespace
}  // namespace trc::runtime
