// Whole scripts and what becomes of them.
#include "fixture.h"

namespace trc::ast {
namespace {

TEST(Program, CountsStacksOfEveryFunction) {
  EXPECT_EQ(typed_text("uprobe:python3:* < @ = max(len(ustack)) >"),
            "map @: max_t per-cpu\n"
            "program probe_0 user-probe\n"
            "  probe 0 uprobe:python3:*\n"
            "  @ <- user-stack-length(all):int64\n");
}

TEST(Program, PrintfAndExit) {
  EXPECT_EQ(typed_text("begin { printf(\"%d %s\\n\", pid, comm); exit(); }"),
            "event 0 Printf \"%d %s\\n\" (uint32, string[16]) size=32\n"
            "event 1 Exit (uint64) size=16\n"
            "program probe_0 test-run\n"
            "  probe 0 begin\n"
            "  emit 0 (convert(shift-right-logical(trc_pid_tgid():uint64, 32:uint64):uint64):uint32, comm:string[16])\n"
            "  emit 1 (0:uint64)\n"
            "  return\n");
}

}  // namespace
}  // namespace trc::ast
