#include "runtime/verifier_log.h"

#include <gtest/gtest.h>

namespace trc::runtime {
namespace {

image::ProgramImage image() {
  image::ProgramImage image;
  image.sources = {{"script.trc", "begin {\n  $a = *kptr(0);\n}\n"}};
  image.programs = {{.name = "probe_0", .span = {0, 0, 5}}};
  return image;
}

constexpr const char* kHead = "libbpf: prog 'probe_0': BPF program load failed: Permission denied\nlibbpf: prog 'probe_0': -- BEGIN PROG LOAD LOG --\n";
constexpr const char* kTail = "processed 4 insns (limit 1000000) max_states_per_insn 0\n-- END PROG LOAD LOG --\nlibbpf: failed to load object 'trc'\n";

TEST(VerifierLog, FindsTheLineAndTheReason) {
  const std::string log = std::string(kHead) +
                          "0: R1=ctx() R10=fp0\n; begin { @ script.trc:1\n0: (b7) r1 = 0                         ; R1_w=0\n"
                          "; $a = *kptr(0); @ script.trc:2\n1: (79) r0 = *(u64 *)(r1 +0)\nR1 invalid mem access 'scalar'\n" + kTail;
  const auto refusal = find_refusal(log, image());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->program, "probe_0");
  EXPECT_EQ(refusal->reason, "R1 invalid mem access 'scalar'");
  EXPECT_EQ(refusal->line, 2U);
  EXPECT_EQ(describe(*refusal), "script.trc:2: the kernel's verifier refused the program: R1 invalid mem access 'scalar'\n  $a = *kptr(0);");
}

TEST(VerifierLog, LogsOfAllProgramsAreFound) {
  const std::string messages = "libbpf: loading\nlibbpf: prog 'probe_0': -- BEGIN PROG LOAD LOG --\nfirst\nprocessed 4 insns\n-- END PROG LOAD LOG --\n"
                               "libbpf: prog 'probe_1': -- BEGIN PROG LOAD LOG --\nunfinished";
  const auto logs = verifier_logs(messages);
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_EQ(logs[0].program, "probe_0");
  EXPECT_EQ(logs[0].text, "first\nprocessed 4 insns\n");
  EXPECT_EQ(logs[1].program, "probe_1");
  EXPECT_EQ(logs[1].text, "unfinished\n");
  EXPECT_TRUE(verifier_logs("libbpf: nothing of that kind\n").empty());
}

TEST(VerifierLog, AVerdictBehindAnUnfinishedLineIsFound) {
  const std::string log = std::string(kHead) +
                          "; $a = *kptr(0); @ script.trc:2\n1: (79) r0 = *(u64 *)(r1 +0)BPF program is too large. Processed 1000001 insn\n" + kTail;
  const auto refusal = find_refusal(log, image());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, "BPF program is too large. Processed 1000001 insn");
  EXPECT_EQ(refusal->line, 2U);
}

TEST(VerifierLog, OlderKernelsGiveTheTextOnly) {
  const std::string log = std::string(kHead) + "; $a = *kptr(0);\n1: (79) r0 = *(u64 *)(r1 +0)\nR1 invalid mem access 'inv'\n" + kTail;
  const auto refusal = find_refusal(log, image());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->line, 2U);
}

TEST(VerifierLog, ALineOfTheLibraryIsPassedOverForTheCaller) {
  const std::string log = std::string(kHead) +
                          "; $a = *kptr(0); @ script.trc:2\n1: (85) call pc+3\n; return x[i]; @ strings.bpf.c:40\n"
                          "9: (71) r0 = *(u8 *)(r2 +0)\nR2 max value is outside of the allowed memory range\n" + kTail;
  const auto refusal = find_refusal(log, image());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->line, 2U);
  EXPECT_EQ(refusal->reason, "R2 max value is outside of the allowed memory range");
}

TEST(VerifierLog, WithoutAnnotationsTheProbeIsThePlace) {
  const std::string log = std::string(kHead) + "0: R1=ctx() R10=fp0\n0: (95) exit\nR0 !read_ok\n" + kTail;
  const auto refusal = find_refusal(log, image());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->line, 1U);
  EXPECT_EQ(refusal->text, "begin {");
  EXPECT_EQ(refusal->reason, "R0 !read_ok");
}

TEST(VerifierLog, OtherFailuresAreNoRefusals) {
  EXPECT_FALSE(find_refusal("libbpf: Error in bpf_create_map_xattr(x): Cannot allocate memory\n", image()));
}

}  // namespace
}  // namespace trc::runtime
