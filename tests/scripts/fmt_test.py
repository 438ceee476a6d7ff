"""trc --fmt on the scripts of the run-time cases and examples: what comes out parses to the same tree, keeps every comment, and stays as it is."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "runtime"))
import case_file  # noqa: E402

TRC = os.environ.get("TRC")


def fmt(script):
    return subprocess.run([TRC, "--fmt", "-"], input=script, capture_output=True, text=True, timeout=60)


def scripts():
    for path in sorted((ROOT / "tests/runtime/cases").glob("*.test")):
        for case in case_file.read_cases(path):
            if case.get("PROG"):
                yield f"{path.name}: {case.name}", case.get("PROG")
    for path in sorted((ROOT / "examples").glob("*.trc")) + sorted((ROOT / "tests/codegen").glob("*.trc")):
        yield path.name, path.read_text()


class Fmt(unittest.TestCase):
    def test_every_script_keeps_its_meaning(self):
        done_any = 0
        for name, script in scripts():
            with self.subTest(name):
                done = fmt(script)
                if "ERROR" in done.stderr and done.returncode == 1 and "mean something else" not in done.stderr:
                    continue   # a case about a syntax error
                self.assertEqual(done.returncode, 0, done.stderr)
                again = fmt(done.stdout)
                self.assertEqual(again.stdout, done.stdout)
                self.assertEqual(done.stdout.count("/"), script.count("/"))   # comments, paths, predicates
                done_any += 1
        self.assertGreater(done_any, 100)

    def test_a_syntax_error_writes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "s.trc")
            path.write_text("begin { print(1 }")
            done = subprocess.run([TRC, "--fmt", path, "-o", path], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("ERROR: syntax: ", done.stderr)
            self.assertEqual(path.read_text(), "begin { print(1 }")

    def test_a_file_is_replaced_and_keeps_its_mode(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "s.trc")
            path.write_text("begin{print(1)}")
            path.chmod(0o750)
            done = subprocess.run([TRC, "--fmt", path, "-o", path], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
            self.assertEqual(path.read_text(), "begin\n{\n  print(1)\n}\n")
            self.assertEqual(path.stat().st_mode & 0o777, 0o750)
            self.assertEqual(os.listdir(folder), ["s.trc"])


if __name__ == "__main__":
    if not TRC:
        print("SKIP: trc is not built")
        sys.exit(77)
    unittest.main()
