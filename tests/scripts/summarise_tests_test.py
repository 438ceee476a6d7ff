"""scripts/summarise_tests.py: totals, reasons, and that it never calls an empty or missing report a success."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "summarise_tests.py"


class Summarise(unittest.TestCase):
    def run_on(self, *reports):
        with tempfile.TemporaryDirectory() as name:
            paths = []
            for number, text in enumerate(reports):
                paths.append(pathlib.Path(name) / f"{number}.xml")
                if text is not None:
                    paths[-1].write_text(text)
            done = subprocess.run([sys.executable, SCRIPT, *paths], capture_output=True, text=True)
            return done.returncode, done.stdout.splitlines()

    def test_totals_over_reports_with_reasons(self):
        status, lines = self.run_on(
            '<testsuite><testcase name="a" status="run"/><testcase name="b" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
            "<system-out>SKIP: lacks CAP_BPF\n</system-out></testcase></testsuite>",
            '<testsuite><testcase name="c" status="run"/></testsuite>')
        self.assertEqual((status, lines), (0, ["skipped 1: lacks CAP_BPF (b)", "2 passed, 0 failed, 1 skipped"]))

    def test_a_failure_is_named(self):
        status, lines = self.run_on('<testsuite><testcase name="a" status="fail"/></testsuite>')
        self.assertEqual((status, lines), (1, ["failed: a", "0 passed, 1 failed, 0 skipped"]))

    def test_an_empty_or_missing_report_is_no_success(self):
        self.assertEqual(self.run_on("<testsuite></testsuite>")[0], 1)
        self.assertEqual(self.run_on(None)[0], 1)


if __name__ == "__main__":
    unittest.main()
