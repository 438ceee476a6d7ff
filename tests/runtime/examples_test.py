#!/usr/bin/env python3
"""Every builtin's example runs, and prints what its row says (`trc --tables`)."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

TRC = os.environ["TRC"]


# What an example wants of the machine.
NEEDS = {"override": ["kprobe"], "write_user": ["write_user"], "percpu_kaddr": ["percpu_symbols"]}


def run(*arguments):
    return subprocess.run([TRC, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


class Examples(unittest.TestCase):
    def test_each_prints_what_it_says(self):
        rows = [row for row in json.loads(run("--tables").stdout)["builtins"] if row["example"]]
        self.assertGreater(len(rows), 50)
        for row in rows:
            with self.subTest(row["name"], script=row["example"]):
                # What prints nothing certain has to load and attach.
                how = (["--unsafe"] if row["unsafe"] else []) + ([] if row["prints"] else ["--dry-run"])
                if needs.missing(NEEDS.get(row["name"], [])) or row["example"].startswith("fentry:"):   # not supported yet
                    continue
                done = run(*how, "-e", row["example"])
                self.assertEqual(done.returncode, 0, done.stderr)
                if row["prints"]:
                    self.assertEqual(done.stdout.strip(), row["prints"], done.stderr)


if __name__ == "__main__":
    missing = needs.missing(["root", "bpf"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
