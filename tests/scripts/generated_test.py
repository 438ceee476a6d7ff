"""What scripts/generate makes is up to date, and every row of the tables has a test."""
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Generated(unittest.TestCase):
    def test_pages_are_up_to_date_and_rows_have_tests(self):
        done = subprocess.run([sys.executable, ROOT / "scripts" / "generate", "--check", "--trc", os.environ["TRC"]], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    if not os.environ.get("TRC"):
        print("SKIP: trc is not built")
        sys.exit(77)
    unittest.main()
