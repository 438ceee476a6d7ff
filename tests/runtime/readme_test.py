#!/usr/bin/env python3
"""The one-liners of README.md print what it says. Numbers, addresses and times differ from run to run, so shapes are compared: the kinds of
lines that the page shows, in their order."""
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

ROOT = pathlib.Path(os.environ["TRC_TEST_SOURCE"])
TRC = pathlib.Path(os.environ["TRC"])


def one_liners(page):
    """(command, shown output) of every console block that begins with '$ trc'."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.M | re.S):
        lines = block.splitlines()
        if lines and lines[0].startswith("$ trc "):
            end = 1  # a command goes on in lines that begin with blanks
            while lines[end].startswith("    "):
                end += 1
            yield "\n".join(lines[:end])[2:], lines[end:]


def kind(line):
    """A line without what varies: numbers, bars, and names after them."""
    line = re.sub(r"\|[@ ]*\|$", "|bar|", line)
    line = re.sub(r"0x[0-9a-f]+", "N", line)
    line = re.sub(r"\d[\d,.]*[KMGTPE]?", "N", line)
    line = re.sub(r"^\[N(, N\))?\]?", "[N]", line)
    line = re.sub(r"^(@\w*\[).*(\]:)", r"\1key\2", line)
    line = re.sub(r"^ {8}\S.*\+N$", "        frame+N", line)
    line = re.sub(r"/[\w./+-]+", "/path", line)
    return re.sub(r"(?<=\S) +", " ", line).rstrip()


def shape(lines):
    """The kinds of lines, each kind once where it stands in a row."""
    kinds = [kind(line) for line in lines if line.strip()]
    return [this for this, before in zip(kinds, [None] + kinds) if this != before]


class Readme(unittest.TestCase):
    def test_one_liners(self):
        examples = list(one_liners((ROOT / "README.md").read_text()))
        self.assertEqual(len(examples), 5)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRC", "BPFTRACE"))}
        environment |= {"PATH": f"{TRC.parent}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        for command, shown in examples:
            with self.subTest(command):
                done = subprocess.run(["bash", "-c", command + " 2>&1"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertEqual(shape(done.stdout.splitlines()), shape(shown), done.stdout)


if __name__ == "__main__":
    missing = needs.missing(["root", "uprobe", "tracepoint", "perf", "file:/usr/bin/python3"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
