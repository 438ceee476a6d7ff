#!/usr/bin/env python3
"""Stacks of Python frames against what Python itself says, with every interpreter found on the machine."""
import functools
import glob
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

TRC = os.environ["TRC"]
HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = os.path.join(HERE, "python_shapes.py")
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("TRC", "BPFTRACE", "PYTHON"))} | {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
VERSIONS = [(3, minor) for minor in range(11, 15)]


def interpreters():
    """version (major, minor) -> one real interpreter; also the variants of builds that lie side by side."""
    found = {}
    for path in sorted(glob.glob("/usr/bin/python3*") + glob.glob("/usr/local/bin/python3*") + glob.glob("/opt/*/bin/python3*")
                       + glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python3*"))):
        real = os.path.realpath(path)
        if not re.fullmatch(r"python3(\.\d+)?t?", os.path.basename(path)) or real in found.values():
            continue
        done = subprocess.run([real, "-c", "import sys; print(*sys.version_info[:3])"], capture_output=True, text=True)
        if done.returncode == 0:
            found[(*map(int, done.stdout.split()), real)] = real
    return {key: path for key, path in found.items() if key[:2] in VERSIONS}


INTERPRETERS = interpreters()


def trace(program, command, *options, status=0):
    done = subprocess.run([TRC, *options, "-e", program, "-c", shlex.join(command)], env=ENVIRONMENT, capture_output=True, text=True, timeout=200)
    if done.returncode != status:
        raise AssertionError(f"trc ended with status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout, done.stderr


def stacks(output):
    """[(tid, [[function, file, line]])] of lines "#TID" and the stacks behind them."""
    found = []
    for line in output.splitlines():
        if line.startswith("#"):
            found.append((int(line[1:]), []))
        elif line.startswith("        "):
            match = re.fullmatch(r" {8}(.*) \((.*):(\d+)\)", line)
            found[-1][1].append([match[1], match[2], int(match[3])] if match else line)
    return found


def by_thread(pairs):
    threads = {}
    for tid, frames in pairs:
        threads.setdefault(tid, []).append(frames)
    return threads


def each(test):
    """Runs a test with every interpreter."""
    @functools.wraps(test)
    def run(self):
        for key, path in sorted(INTERPRETERS.items()):
            with self.subTest(interpreter=path, version=".".join(map(str, key[:3]))):
                test(self, path)
    return run


class EveryInterpreter(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    @each
    def test_every_frame_of_every_shape(self, python):
        said = self.path("truth")
        output, errors = trace('tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { printf("#%d%s\\n", tid, ustack(python, 1024)); }', [python, SHAPES, said], "-q")
        with open(said, encoding="utf-8") as file:
            truth = by_thread(json.loads(line) for line in file)
        seen = by_thread(stacks(output))
        self.assertEqual(sorted(map(len, seen.values())), sorted(map(len, truth.values())))
        for tid, expected in truth.items():
            for number, (frames, wanted) in enumerate(zip(seen[tid], expected)):
                self.assertEqual(frames, wanted, f"stack {number} of thread {tid}")
        self.assertNotIn("truncated", errors)

    @each
    def test_among_native_frames(self, python):
        """Python frames stand behind the native frame that runs them: where the interpreter's loop has a name, behind each loop and nowhere else."""
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { printf("#%d%s\\n#%d%s\\n", tid, ustack(mixed, 8192), tid, '
                          'ustack(python, 1024)); }', [python, SHAPES, self.path("truth")], "-q")
        found = stacks(output)
        self.assertGreater(len(found), 300)
        named = 0
        for (_, mixed), (_, alone) in zip(found[::2], found[1::2]):
            self.assertEqual([[frame[0].removeprefix("[py] "), *frame[1:]] for frame in mixed if isinstance(frame, list)], alone)
            self.assertNotIn("        [Python frames whose place among the others is not known:]", mixed)
            self.assertFalse(any("truncated" in frame for frame in mixed), mixed[-3:])
            for frame, before in zip(mixed[1:], mixed):
                if isinstance(frame, list) and isinstance(before, str) and before.startswith("        _PyEval_EvalFrameDefault"):
                    named += 1
                if "_PyEval_EvalFrameDefault" in before:
                    self.assertIsInstance(frame, list, mixed)
                elif isinstance(frame, list) and isinstance(before, str):
                    self.assertRegex(before, r"_PyEval_EvalFrameDefault|^ +0x", mixed)   # only a stripped one has no name
        self.assertGreater(named, 300)

    @each
    def test_the_number_of_frames(self, python):
        said = self.path("truth")
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { printf("#%d %d\\n", tid, len(ustack(python))); }', [python, SHAPES, said], "-q")
        with open(said, encoding="utf-8") as file:
            truth = by_thread((tid, len(frames)) for tid, frames in map(json.loads, file))
        seen = by_thread((int(tid), int(count)) for tid, count in re.findall(r"^#(\d+) (\d+)$", output, re.M))
        self.assertEqual(seen, truth)

    @each
    def test_a_script_that_ends_right_after_its_hit(self, python):
        script = self.path("brief.py", "import os\ndef last():\n    os.getppid()\n    os._exit(0)\nlast()\n")
        output, _ = trace("tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { @[ustack(python)] = count(); }", [python, script], "-q")
        self.assertEqual(output.strip(), f"@[\n        last ({script}:3)\n        <module> ({script}:5)\n]: 1")

    @each
    def test_a_child_by_fork(self, python):
        script = self.path("fork.py", "import os\ndef child():\n    os.getppid()\npid = os.fork()\nif pid == 0:\n    child()\n    os._exit(0)\nos.waitpid(pid, 0)\n")
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid { printf("%s\\n", ustack(python)); }', [python, script], "-q")
        self.assertIn(f"        child ({script}:3)\n        <module> ({script}:6)\n", output)

    @each
    def test_behind_a_shell_script(self, python):
        script = self.path("app.py", "import os\ndef f():\n    os.getppid()\nf()\n")
        shim = self.path("python3", f"#!/bin/bash\nexec {python} \"$@\"\n")
        os.chmod(shim, 0o755)
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid { printf("%s\\n", ustack(python)); }', ["/bin/sh", "-c", f"{shim} {script}; true"], "-q")
        self.assertIn(f"        f ({script}:3)\n        <module> ({script}:4)", output)

    BUSY = """def gen(n):
    for i in range(n):
        yield i * 2
class C:
    def __init__(self, x):
        self.x = x
def work():
    total = 0
    for _ in range(20):
        total += sum(gen(50)) + C(1).x
        total += len(sorted(range(50), key=lambda v: -v))
    return total
import time
while time.process_time() < 2:
    work()
"""
    # function -> its lines there, and who calls it
    PLACES = {"gen": ({1, 2, 3}, "work"), "C.__init__": ({5, 6}, "work"), "work.<locals>.<lambda>": ({11}, "work"), "work": (set(range(7, 13)), "<module>"),
              "C": ({4, 5}, "<module>"), "<module>": ({1, 4, 7, 13, 14, 15}, None)}

    @each
    def test_samples_are_whole_and_possible(self, python):
        """Samples come at any moment; each must reach the script's <module> by calls that the script makes, in lines that the functions have."""
        script = self.path("busy.py", self.BUSY)
        output, errors = trace('profile:hz:999 /pid == cpid/ { printf("#%d%s\\n", tid, ustack(python)); }', [python, "-S", script], "-q")
        samples = [frames for _, frames in stacks(output) if any(script in frame for frame in frames)]
        self.assertGreater(len(samples), 500)
        # A generator that is just being resumed has no caller yet. That is said.
        unlinked = [frames for frames in samples if frames[-1] == "        [truncated: a Python frame that was being entered or left]"]
        samples = [frames for frames in samples if frames not in unlinked]
        self.assertLess(len(unlinked), len(samples) / 100)
        for frames in samples:
            own = [frame for frame in frames if frame[1] == script]
            self.assertEqual(own[-1], frames[-1])
            for (function, _, line), caller in zip(own, own[1:] + [[None]]):
                lines, expected = self.PLACES[function]
                self.assertEqual(caller[0], expected, frames)
                self.assertIn(line, lines, frames)
        self.assertEqual(output.count("truncated"), len(unlinked))


if __name__ == "__main__":
    missing = needs.missing(["root", "tracepoint", "btf", "perf"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    if not INTERPRETERS:
        print("SKIP: no Python 3.11 to 3.14 here")
        sys.exit(77)
    print("interpreters:", ", ".join(INTERPRETERS.values()))
    absent = sorted(set(VERSIONS) - {key[:2] for key in INTERPRETERS})
    if absent:
        print("not here:", ", ".join(f"{major}.{minor}" for major, minor in absent))
    unittest.main()
