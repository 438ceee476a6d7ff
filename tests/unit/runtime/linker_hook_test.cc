#include "runtime/unwind/linker_hook.h"

#include <gtest/gtest.h>
#include <link.h>

#include "symbols/elf_file.h"

namespace trc::runtime {
namespace {

std::optional<LinkerHook> hook_of(const std::string& path) {
  const auto file = symbols::ElfReader::open(path);
  return file ? find_linker_hook(*file) : std::nullopt;
}

TEST(LinkerHook, IsWhatTheLinkerTellsDebuggers) {
  const std::string linker = symbols::open_cached("/proc/self/exe").value()->interpreter();
  ASSERT_FALSE(linker.empty());
  const auto hook = hook_of(linker);
  ASSERT_TRUE(hook);
  EXPECT_FALSE(hook->is_pointer);
  // In this process too the list lies there (`_r_debug` itself may be a copy of its beginning).
  const auto* list = reinterpret_cast<const r_debug*>(_r_debug.r_brk + static_cast<std::uint64_t>(hook->to_list));
  EXPECT_EQ(list->r_brk, _r_debug.r_brk);
  EXPECT_EQ(list->r_map, _r_debug.r_map);
  const auto address = symbols::ElfReader::open(linker).value().virtual_address(hook->offset);
  ASSERT_TRUE(address);
  EXPECT_EQ(_r_debug.r_brk - _r_debug.r_ldbase, *address);
}

TEST(LinkerHook, MuslHasAPointer) {
  const auto hook = hook_of("/lib/ld-musl-x86_64.so.1");
  if (!hook) GTEST_SKIP() << "no musl here";
  EXPECT_TRUE(hook->is_pointer);
}

TEST(LinkerHook, OtherFilesHaveNone) { EXPECT_FALSE(hook_of("/proc/self/exe")); }

}  // namespace
}  // namespace trc::runtime
