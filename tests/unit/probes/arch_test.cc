// The table of what the kernel refuses, held against the kernel that runs the test.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/owned.h"
#include "probes/arch.h"
#include "unit/build_program.h"

namespace trc::probes {
namespace {

constexpr std::size_t kSlot = 16;

/// Puts a uprobe on a place of a file that is mapped here; 0 or errno.
int try_uprobe(std::uint32_t type, const std::string& path, std::uint64_t offset) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = type;
  attr.config1 = reinterpret_cast<std::uint64_t>(path.c_str());
  attr.config2 = offset;
  const Fd event(static_cast<int>(::syscall(SYS_perf_event_open, &attr, ::getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC)));
  return event ? 0 : errno;
}

TEST(Arch, TheKernelRefusesWhatTheTableRefuses) {
  std::uint32_t type = 0;
  if (!(std::ifstream("/sys/bus/event_source/devices/uprobe/type") >> type)) GTEST_SKIP() << "this kernel has no uprobe events";

  std::vector<std::string> codes;
  for (int byte : {0x06, 0x26, 0x2e, 0x36, 0x3e, 0x60, 0x6c, 0x6f, 0x82, 0x9a, 0xcc, 0xcd, 0xcf, 0xd4, 0xe4, 0xec, 0xf0, 0xf1, 0xf4, 0xfa})
    codes.push_back(std::string(1, static_cast<char>(byte)) + std::string("\xc0\0\0\0", 4));
  for (const char* code : {"\x55\x90", "\x90", "\xc3", "\x48\x89\xe5", "\xf3\x0f\x1e\xfa", "\x64\x48\x8b\xc0", "\x66\x90", "\x0f\x0b", "\x48\xf4",
                           "\xc5\xf8\x57\xc0", "\xc5\xf9\x6f\xc0", "\x66\x2e\x90", "\x48\x83\xec\x08"})
    codes.emplace_back(code);
  std::string text;
  for (const std::string& code : codes) {
    text += code;
    text.resize((text.size() + kSlot - 1) / kSlot * kSlot, '\x90');
  }
  TemporaryFolder folder;
  const std::string path = folder.write("code", text);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  void* const mapped = ::mmap(nullptr, text.size(), PROT_READ | PROT_EXEC, MAP_PRIVATE, file.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  if (const int error = try_uprobe(type, path, text.find('\x55')); error != 0) {
    GTEST_SKIP() << "cannot place uprobes (needs CAP_PERFMON or CAP_SYS_ADMIN): " << std::strerror(error);
  }
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const bool accepted = try_uprobe(type, path, i * kSlot) == 0;
    EXPECT_EQ(native_arch().is_probeable(std::string_view(text).substr(i * kSlot, 15)), accepted) << "code " << i;
  }
  ::munmap(mapped, text.size());
}

}  // namespace
}  // namespace trc::probes
