#include <gtest/gtest.h>

#include "kernel/kernel_functions.h"

namespace trc::kernel {
namespace {

constexpr const char* kSymbols =
    "ffffffff81000000 T _stext\n"
    "ffffffff81000100 t vfs_read\n"
    "ffffffff81000200 T no_probe_here\n"
    "ffffffff81000300 D some_data\n"
    "ffffffff81000400 t twice\n"
    "ffffffff81000100 t another_name_of_vfs_read\n"
    "ffffffffc0000000 t twice\t[ext4]\n"
    "ffffffffc0000100 t bpf_prog_6deef7357e7b4530_x\t[bpf]\n"
    "broken line\n"
    "\n"
    "ffffffffc0000200 t unfinished";

TEST(KernelFunctions, TakesCodeOfTheKernelAndItsModules) {
  const KernelFunctions functions = KernelFunctions::parse(kSymbols, "", "");
  std::string all;
  for (const KernelFunction& function : functions.all()) all += std::string(function.name) + "/" + std::string(function.module) + " ";
  EXPECT_EQ(all, "_stext/ vfs_read/ no_probe_here/ twice/ another_name_of_vfs_read/ twice/ext4 unfinished/ ");
  EXPECT_EQ(functions.named("twice").size(), 2u);
  EXPECT_EQ(functions.named("twice")[1].address, 0xffffffffc0000000u);
  EXPECT_TRUE(functions.named("some_data").empty());
}

TEST(KernelFunctions, SaysWhatCanBeTraced) {
  const KernelFunctions functions =
      KernelFunctions::parse(kSymbols, "vfs_read\nno_probe_here\ntwice [ext4]\n", "0xffffffff81000200-0xffffffff81000280\tno_probe_here\nbroken\n");
  const auto state = [&](std::string_view name, std::size_t which = 0) { return functions.traceable(functions.named(name).at(which)); };
  EXPECT_EQ(state("vfs_read"), Traceable::Yes);
  EXPECT_EQ(state("no_probe_here"), Traceable::Blacklisted);
  EXPECT_EQ(state("another_name_of_vfs_read"), Traceable::Yes);
  EXPECT_EQ(state("_stext"), Traceable::NotTraced);
  EXPECT_EQ(state("twice", 0), Traceable::NotTraced);
  EXPECT_EQ(state("twice", 1), Traceable::Yes);
  EXPECT_TRUE(functions.knows_traceable());
}

TEST(KernelFunctions, WithoutListsNothingIsKnown) {
  KernelFunctions moved = KernelFunctions::parse(kSymbols, "", "");
  const KernelFunctions functions = std::move(moved);   // the names stay where they are
  EXPECT_EQ(functions.traceable(functions.named("vfs_read").at(0)), Traceable::Unknown);
  EXPECT_FALSE(functions.knows_traceable());
}

TEST(KernelFunctions, DangerousOnesSayWhy) {
  EXPECT_NE(why_dangerous("_raw_spin_lock"), "");
  EXPECT_NE(why_dangerous("native_queued_spin_lock_slowpath"), "");
  EXPECT_NE(why_dangerous("__rcu_read_lock"), "");
  EXPECT_EQ(why_dangerous("vfs_read"), "");
}

}  // namespace
}  // namespace trc::kernel
