// Scripts that are large in one way or another load: the 512 bytes of stack, the reach of a jump and what the verifier keeps in mind are not
// the user's problem.
#include <gtest/gtest.h>

#include <string>

#include "generator/compile.h"
#include "generator/control_flow.h"
#include "kernel/facts.h"

namespace trc::test {
namespace {

class Limits : public testing::Test {
 protected:
  void SetUp() override {
    if (auto allowed = kernel::check_privileges(); !allowed) GTEST_SKIP() << allowed.error().message();
  }
};

void expect_loads(const std::string& script) {
  const Compiled compiled = compile(script);
  ASSERT_TRUE(compiled.image) << compiled.problem.substr(0, 2000);
  EXPECT_EQ(load(*compiled.image), "") << script.substr(0, 2000);
  EXPECT_EQ(back_edge_without_jump(compiled.image->object), "");
}

const std::string kProbe = "uprobe:" TRC_BINARY_DIR "/tests/programs/work:work_add ";

/// `text` so many times; each '#' is the number of the time.
std::string repeated(int times, const std::string& text) {
  std::string all;
  for (int i = 0; i < times; ++i) {
    for (const char c : text) c == '#' ? all += std::to_string(i) : all += c;
  }
  return all;
}

TEST_F(Limits, ThousandsOfStatementsInABlock) {
  expect_loads("begin { $x = 1; " + repeated(500, "@a[# % 7, comm] = count(); $x += pid * #; printf(\"%d %s\\n\", $x, comm); @m[$x & 255] = $x; ") + "print($x); }");
  expect_loads(kProbe + "{ " + repeated(900, "if (arg0 == #) { @m[arg1] = #; } ") + "}");
}

TEST_F(Limits, ManyStatementsInAnArm) { expect_loads(kProbe + "{ if (arg0) { " + repeated(900, "@m[#] = arg1; ") + "} else { @n = count(); } }"); }

TEST_F(Limits, ManyStatementsInLoops) {
  expect_loads(kProbe + "{ for ($i : 0..10) { " + repeated(600, "if ($i == #) { @m[$i] = #; continue; } ") + "} }");
  expect_loads(kProbe + "{ let $i: int64 = 0; while ($i++ < 3) { " + repeated(600, "if (arg0 == #) { @m[arg1] = #; continue; } ") + "} }");
}

TEST_F(Limits, ManyReturns) { expect_loads(kProbe + "{ " + repeated(800, "if (arg0 == #) { return; } @n = count(); ") + "}"); }

TEST_F(Limits, TextsOf64KiB) {
  const std::string settings = "config = { max_strlen = 65536 } ";
  expect_loads(settings + kProbe + "{ $s = str(arg0); printf(\"%s\\n\", $s); @s = $s; @x[pid] = $s; print(strlen($s)); }");
  expect_loads(settings + kProbe + "{ if (str(arg0) == str(arg1)) { @e = count(); } if (str(arg0) == \"x\") { @t = (str(arg0), 1); } }");
}

TEST_F(Limits, KeysOf4KiB) {
  expect_loads("config = { max_strlen = 4096 } " + kProbe + "{ @[str(arg0)] = count(); @h[str(arg0), pid] = hist(arg1); @b[str(arg0), 1] = str(arg1); }");
}

TEST_F(Limits, TextsInLoops) {
  expect_loads(kProbe + "{ let $w: int64 = 0; while ($w++ < 5) { @n[strlen(str(arg0))] = max(strlen(str(arg1))); if (str(arg0) == str(arg1)) { @e = count(); } } }");
}

TEST_F(Limits, TuplesInTuples) {
  expect_loads(kProbe + "{ @b[(str(arg0), (str(arg1), (str(arg2), 1)))] = ((((((1, 2), 3), 4), 5), 6), 7); for ($kv : @b) { print($kv); } }");
  expect_loads(kProbe + "{ @b[arg0] = (" + repeated(200, "#, ") + "comm); $x = @b[3]; print($x); }");
}

TEST_F(Limits, ManyVariablesAndArguments) {
  expect_loads(kProbe + "{ " + repeated(100, "$v# = arg0 + #; $s# = comm; ") + repeated(100, "printf(\"%d %s\", $v#, $s#); ") + "}");
  expect_loads(kProbe + "{ printf(\"" + repeated(60, "%d ") + "\"" + repeated(60, ", arg0 * # + pid") + "); }");
}

TEST_F(Limits, ManyProbes) { expect_loads(repeated(200, kProbe + "{ @m#[pid] = #; printf(\"%d\\n\", arg0); } ")); }

// Found by generated scripts.
TEST_F(Limits, PresenceOfAKeyInALogicalExpression) {
  expect_loads("begin { $n = pid; @m[1] = 1; print(has_key(@m, $n) || !(!$n)); print((has_key(@m, $n) && $n) == 1); }");
}

}  // namespace
}  // namespace trc::test
