"""tests/runtime/run.py against a stand-in for trc (a shell script): every kind of expectation can fail."""
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

RUN = pathlib.Path(__file__).resolve().parents[1] / "runtime" / "run.py"
PASSED, FAILED, SKIPPED = 0, 1, 77
STAND_IN = """#!/bin/bash
# Does what follows -e, as a shell script.
while [ $# -gt 0 ]; do case $1 in -e) program=$2; shift ;; esac; shift; done
eval "$program"
"""


class CaseRunner(unittest.TestCase):
    def run_case(self, text):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "trc").write_text(STAND_IN)
            (folder / "trc").chmod(0o755)
            (folder / "x.test").write_text("NAME x\nNEEDS nothing\n" + textwrap.dedent(text))
            done = subprocess.run([sys.executable, RUN, "--trc", folder / "trc", "--programs", folder, folder / "x.test", "x"], capture_output=True, text=True)
            return done.returncode, done.stdout + done.stderr

    def expect(self, status, text):
        code, output = self.run_case(text)
        self.assertEqual(code, status, output)
        return output

    def test_lines_in_order(self):
        self.expect(PASSED, "PROG echo a; echo b\nEXPECT a\nEXPECT b\n")
        self.expect(FAILED, "PROG echo b; echo a\nEXPECT a\nEXPECT b\n")
        self.expect(FAILED, "PROG echo ab\nEXPECT a\n")
        self.expect(FAILED, "PROG echo a\nEXPECT a\nEXPECT a\n")

    def test_patterns_and_checks(self):
        self.expect(PASSED, "PROG echo n 7\nEXPECT_RE ^n (?P<n>\\d+)$\nCHECK n == 7\n")
        self.expect(FAILED, "PROG echo n 8\nEXPECT_RE ^n (?P<n>\\d+)$\nCHECK n == 7\n")
        self.expect(FAILED, "PROG echo n x\nEXPECT_RE ^n (?P<n>\\d+)$\n")

    def test_what_must_not_occur(self):
        self.expect(PASSED, "PROG echo a\nEXPECT_NONE b\n")
        self.expect(FAILED, "PROG echo abc\nEXPECT_NONE b\n")
        self.expect(FAILED, "PROG echo abc >&2\nEXPECT_NONE x\nERROR_NONE b\n")

    def test_errors_are_on_stderr(self):
        self.expect(PASSED, "PROG echo bad >&2\nERROR bad\n")
        self.expect(FAILED, "PROG echo bad\nERROR bad\n")
        self.expect(FAILED, "PROG echo bad >&2\nEXPECT bad\n")

    def test_exact_output(self):
        self.expect(PASSED, "PROG printf 'a\\n\\n b\\n'\nEXACT\n  a\n\n   b\n")
        self.expect(FAILED, "PROG printf 'a\\n b\\n'\nEXACT\n  a\n\n   b\n")
        self.expect(FAILED, "PROG printf 'a\\nb\\n'\nEXACT a\n")

    def test_status(self):
        self.expect(PASSED, "PROG exit 3\nSTATUS 3\n")
        self.expect(FAILED, "PROG exit 3\nEXPECT_NONE x\n")
        self.expect(FAILED, "PROG exit 0\nSTATUS 3\n")

    def test_time(self):
        self.expect(FAILED, "PROG sleep 5\nTIMEOUT 0.5\nEXPECT_NONE x\n")
        self.expect(FAILED, "PROG sleep 0.5\nWITHIN 0.1\nEXPECT_NONE x\n")

    def test_signal_after_attaching(self):
        attached = "trap 'echo maps; exit 0' INT; echo $TRC_NOTIFY_ATTACHED; while :; do sleep 0.05; done"
        self.expect(PASSED, f"PROG {attached}\nAFTER touch {{tmp}}/done\nEXPECT maps\nEXPECT_NONE attached\n")
        self.expect(FAILED, f"PROG {attached}\nAFTER false\nEXPECT maps\n")
        self.expect(FAILED, "PROG echo nothing\nAFTER true\nEXPECT nothing\n")

    def test_a_need_skips_with_its_reason(self):
        code, output = self.run_case("PROG echo a\nEXPECT a\n".replace("PROG", "STDIN x\nPROG"))
        self.assertEqual(code, PASSED, output)
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name) / "x.test"
            path.write_text("NAME x\nNEEDS command:no-such-command\nPROG echo a\nEXPECT a\n")
            done = subprocess.run([sys.executable, RUN, "--trc", "/bin/true", "--programs", name, path, "x"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (SKIPPED, "SKIP: the command no-such-command is not installed\n"))

    def test_mistakes_in_a_file_are_named(self):
        self.assertIn("'EXPCT' is not a key", self.expect(1, "PROG true\nEXPCT a\n"))
        self.assertIn("expects nothing", self.expect(1, "PROG true\n"))
        self.assertIn("given twice", self.expect(1, "PROG true\nPROG false\nEXPECT a\n"))


if __name__ == "__main__":
    unittest.main()
