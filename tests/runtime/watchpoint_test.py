#!/usr/bin/env python3
"""Watchpoints: a program that writes a variable every 10 ms, its address known from its symbols and its mappings.

COVERS: probe watchpoint
"""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

TRC, PROGRAMS = os.environ["TRC"], os.environ["TRC_TEST_PROGRAMS"]


class Watchpoint(unittest.TestCase):
    def setUp(self):
        self.program = subprocess.Popen([f"{PROGRAMS}/sleeper"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(self.program.stdout.readline(), "ready\n")

    def tearDown(self):
        self.program.kill()
        self.program.communicate()

    def address_of(self, symbol):
        listing = subprocess.run(["nm", f"{PROGRAMS}/sleeper"], capture_output=True, text=True, check=True).stdout
        offset = int(re.search(rf"^([0-9a-f]+) \w {symbol}$", listing, re.M).group(1), 16)
        with open(f"/proc/{self.program.pid}/maps") as maps:
            base = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith("/sleeper"))
        return base + offset if offset < base else offset

    def trace(self, script):
        return subprocess.run([TRC, "-p", str(self.program.pid), "-e", script], capture_output=True, text=True, timeout=60)

    def test_writes_are_counted_where_they_happen(self):
        done = self.trace(f"watchpoint:{self.address_of('ticks'):#x}:8:w {{ @[ustack(1)] = count(); if (++@n == 5) {{ exit(); }} }}")
        self.assertEqual(done.returncode, 0, done.stderr)
        count = int(re.search(r"@n: (\d+)", done.stdout).group(1))   # the program may write once more before exit() is seen
        self.assertIn(count, range(5, 50))
        self.assertRegex(done.stdout, rf"@\[\n +sleeper_tick\+\d+\n.*\]: {count}\n")

    def test_executions_of_an_address(self):
        done = self.trace(f"w:{self.address_of('sleeper_tick'):#x}:8:x {{ @ip[reg(\"ip\") == {self.address_of('sleeper_tick')}] = count(); "
                          "if (++@n == 4) { exit(); } }")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"@ip\[true\]: (\d+)\n@n: \1\n")
        self.assertNotIn("false", done.stdout)

    def test_another_variable_stays_silent(self):
        done = self.trace(f"w:{self.address_of('ticks') + 8:#x}:8:rw {{ @n++; }} interval:ms:300 {{ exit(); }}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("@n", done.stdout)

    def test_more_than_the_processor_has(self):
        blocks = [f"w:{self.address_of('ticks') + 8 * i:#x}:8:w {{ @ = count(); }}" for i in range(5)]
        done = self.trace(" ".join(blocks))
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("no debug register left", done.stderr)


if __name__ == "__main__":
    missing = needs.missing(["root", "perf", "command:nm", "file:/sys/bus/event_source/devices/breakpoint/type"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
