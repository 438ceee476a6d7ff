#!/usr/bin/env python3
"""Each script in tools/ has an example of its output, a page can be made of it, and a case runs it."""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from generators import tools  # noqa: E402


class Tools(unittest.TestCase):
    def test_there_are_some(self):
        self.assertGreaterEqual(len(tools.scripts(ROOT)), 20)

    def test_each_has_a_page_with_its_parameters_and_an_example(self):
        for script in tools.scripts(ROOT):
            page = tools.page(script, "0")
            self.assertIn(f"{script.stem}.trc \\-", page)
            self.assertEqual({name for name in re.findall(r'getopt\("([\w-]+)"', script.read_text())}, {name for name, _, _ in tools.parameters(script)}, script)
            self.assertTrue((ROOT / "tools/examples" / f"{script.stem}.txt").read_text().startswith(f"$ {script.stem}.trc"), script)

    def test_each_is_run_by_a_case(self):
        cases = (ROOT / "tests/runtime/cases/tools.test").read_text()
        self.assertEqual([script.name for script in tools.scripts(ROOT) if f"tools/{script.name}" not in cases], [])


if __name__ == "__main__":
    unittest.main()
