// Attach points to programs, and what happens when some do not exist.
#include "fixture.h"

namespace trc::ast {
namespace {

TEST(Plan, AttachPointsThatOfferTheSameShareAProgram) {
  const Outcome outcome = analyse_text("uprobe:a:f, uprobe:a:g, interval:s:1, uretprobe:a:f { print(1); }");
  ASSERT_TRUE(outcome.analysis);
  const auto& program = outcome.analysis->program;
  ASSERT_EQ(program.probes.size(), 4u);
  ASSERT_EQ(program.programs.size(), 3u);
  EXPECT_EQ(program.probes[0].program, program.probes[1].program);
  EXPECT_EQ(program.probes[program.programs[1].probe].text, "interval:s:1");
}

TEST(Plan, MistakesOfManyKindsAreReportedInOneRun) {
  EXPECT_EQ(complaints("uprobe:a:missing { print($x); }\n"
                       "nope:a { print(1); }\n"
                       "begin { foo(); @a = 1; @a[1] = 2; break; }"),
            "undefined-variable: Undefined or undeclared variable: $x\n"
            "map-use: @a used as a map with an explicit key (non-scalar map), previously used without an explicit key (scalar map)\n"
            "control-flow: 'break' statement is not allowed in a probe [it belongs into the body of a for or while loop]\n"
            "no-match: No matches for uprobe:a:missing. [did you mean found?]\n"
            "unknown-probe-type: Invalid probe type: nope\n"
            "unknown-function: Unknown function: foo\n");
}

TEST(Plan, AMissingProbeDoesNotSpoilTheTypesOfOthers) {
  EXPECT_EQ(complaints("uprobe:a:missing { @x = comm; } begin { print(strlen(@x)); }"), "no-match: No matches for uprobe:a:missing. [did you mean found?]\n");
}

TEST(Plan, MissingProbesMayBeIgnored) {
  const Outcome outcome = analyse_text("config = { missing_probes = \"ignore\" } uprobe:a:missing { print(1); } begin { print(2); }");
  ASSERT_TRUE(outcome.analysis) << outcome.messages();
  EXPECT_EQ(outcome.messages(), "");
  EXPECT_EQ(outcome.analysis->program.probes.size(), 1u);
}

TEST(Plan, ABlockWithoutAnyProbeLeftIsRemovedWithAWarning) {
  const Outcome outcome = analyse_text("config = { missing_probes = \"warn\" } uprobe:a:missing { print(1); } begin { print(2); }");
  ASSERT_TRUE(outcome.analysis) << outcome.messages();
  EXPECT_EQ(outcome.messages(), "probe-skipped: No matches for uprobe:a:missing. Skipping. [did you mean found?]\n"
                                "probe-skipped: Probe has no valid attach points. It is being removed.\n");
  EXPECT_EQ(outcome.analysis->program.probes.size(), 1u);
}

TEST(Plan, AScriptWithoutAnyProbeLeftIsAnError) {
  EXPECT_EQ(complaints("config = { missing_probes = \"warn\" } uprobe:a:missing { print(1); }"),
            "probe-skipped: No matches for uprobe:a:missing. Skipping. [did you mean found?]\n"
            "probe-skipped: Probe has no valid attach points. It is being removed.\n"
            "no-match: No probes to attach\n");
}

TEST(Plan, APinnedIteratorIsAloneAndOnlyPrintf) {
  EXPECT_EQ(complaints("pinned:task { printf(\"%5d %s\\n\", 1, comm); }"), "");
  EXPECT_EQ(complaints("pinned:task { printf(\"x\"); } begin { print(1); }"),
            "invalid-probe: an iterator that is pinned must be the only probe of the script [trc ends when it is pinned; without a file name it is run at once, "
            "beside other probes]\n");
  EXPECT_EQ(complaints("pinned:task { print(1); }"),
            "not-available-here: print can not be used in an iterator that is pinned [whoever reads the file gets what printf says; trc is gone by then]\n");
  EXPECT_EQ(complaints("pinned:task { printf(\"%.2d\", 1); }"),
            "invalid-format: printf() of a pinned iterator has %d %i %u %x %X %c %p %s and their forms with l and ll only, found %.2d [the kernel formats it whenever "
            "the file is read; without a file name trc prints, and takes more]\n");
}

TEST(Plan, AScriptWithoutProbesHasNothingToAttach) { EXPECT_EQ(complaints(""), "no-match: No probes to attach\n"); }

TEST(Plan, AFixedNumberOfRoundsIsEnoughForLongChains) {
  std::string script = "begin { ";
  for (int i = 0; i < 40; ++i) script += "@m" + std::to_string(i) + " = @m" + std::to_string(i + 1) + "; ";
  const Outcome outcome = analyse_text(script + "@m40 = comm; }");
  ASSERT_TRUE(outcome.analysis);
  for (const auto& map : outcome.analysis->program.maps) EXPECT_EQ(lang::type_name(map.value), "string[16]") << map.name;
}

}  // namespace
}  // namespace trc::ast
