"""man/trc.1: formats without a warning, and has every option that --help has."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "man" / "trc.1"


class ManPage(unittest.TestCase):
    def test_formats_without_warnings(self):
        if not shutil.which("groff"):
            self.skipTest("groff is not installed")
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", PAGE], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_has_every_option_of_the_help(self):
        text = subprocess.run([os.environ["TRC"], "--help"], capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"^ +(-\w|--[\w-]+)", text, re.M)) | set(re.findall(r",\s*(--[\w-]+)", text))
        self.assertGreater(len(options), 10)
        page = PAGE.read_text().replace("\\-", "-")
        missing = sorted(option for option in options if not re.search(re.escape(option) + r"(?![\w-])", page))
        self.assertEqual(missing, [])


if __name__ == "__main__":
    if not os.path.exists(os.environ.get("TRC", "")):
        print("SKIP: trc is not built")
        sys.exit(77)
    unittest.main()
