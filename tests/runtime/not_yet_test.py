#!/usr/bin/env python3
"""What the language has and this version has not: refused by name at its place, never mis-parsed, never a crash. When a row's feature is built,
the row goes and a case comes in its stead."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

# Script, the word that the message names.
REFUSED = [
    ("fentry:vfs_read { @ = count(); }", "fentry"),
    ("fexit:vfs_read { @ = count(); }", "fexit"),
    ("iter:task { @ = count(); }", "iter"),
]


class NotYet(unittest.TestCase):
    def test_each_is_refused_by_name(self):
        for script, word in REFUSED:
            with self.subTest(script):
                done = subprocess.run([os.environ["TRC"], "-e", script], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertRegex(done.stderr, r"(?m)^stdin:1:\d+-\d+: ERROR: ")
                self.assertIn(word, done.stderr.split("ERROR: ", 1)[1].splitlines()[0], done.stderr)
                self.assertNotIn("syntax", done.stderr)
                self.assertNotIn("Attached", done.stderr)


if __name__ == "__main__":
    missing = needs.missing(["root", "bpf"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
