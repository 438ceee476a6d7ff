#!/usr/bin/env python3
"""The example of every builtin prints what its row says."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402


class Examples(unittest.TestCase):
    def test_each_prints_what_it_says(self):
        listed = subprocess.run([os.environ["TRC_BUILTIN_ROWS"]], capture_output=True, text=True, check=True).stdout
        rows = [json.loads(line) for line in listed.splitlines()]
        self.assertGreater(len(rows), 30)
        for row in rows:
            with self.subTest(row["name"]):
                command = [os.environ["TRC"]] + (["--unsafe"] if row["unsafe"] else []) + ["-e", row["example"]]
                done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout.strip(), row["prints"], done.stderr)


if __name__ == "__main__":
    missing = needs.missing(["root", "bpf"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
