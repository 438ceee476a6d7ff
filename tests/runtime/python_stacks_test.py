#!/usr/bin/env python3
"""Stacks of Python frames against what Python itself says, with every interpreter found on the machine, and with those that TRC_PYTHONS names:
paths, between them spaces. ROOT//PATH is the interpreter PATH of the system in the folder ROOT, run by chroot(8)."""
import dataclasses
import functools
import glob
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
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


def in_root(root):
    return ["/usr/sbin/chroot", root] if root else []


@dataclasses.dataclass(frozen=True)
class Python:
    root: str    # "": ours
    path: str    # there

    def __str__(self):
        return f"{self.root}/{self.path}" if self.root else self.path


def interpreters():
    """(major, minor, patch, ...) -> Python; also the variants of builds that lie side by side."""
    found = {}

    def add(root, path):
        done = subprocess.run([*in_root(root), path, "-c", "import sys; print(*sys.version_info[:3])"], capture_output=True, text=True)
        if done.returncode == 0:
            key = (*map(int, done.stdout.split()), root, path)
            found[key] = Python(root, path)
        return done

    for path in sorted(glob.glob("/usr/bin/python3*") + glob.glob("/usr/local/bin/python3*") + glob.glob("/opt/*/bin/python3*")
                       + glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python3*"))):
        real = os.path.realpath(path)
        if not re.fullmatch(r"python3(\.\d+)?t?", os.path.basename(path)) or Python("", real) in found.values():
            continue
        add("", real)
    for given in os.environ.get("TRC_PYTHONS", "").split():
        root, slashes, path = given.partition("//")
        done = add(root, "/" + path) if slashes else add("", os.path.realpath(given))
        if done.returncode != 0:
            sys.exit(f"TRC_PYTHONS: {given} does not run: {done.stderr}")
    return {key: python for key, python in found.items() if key[:2] in VERSIONS}


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
    """Runs a test with every interpreter; the test's folder is in the interpreter's root."""
    @functools.wraps(test)
    def run(self):
        for key, python in sorted(INTERPRETERS.items()):
            with self.subTest(interpreter=str(python), version=".".join(map(str, key[:3]))), \
                    tempfile.TemporaryDirectory(dir=(python.root or "") + "/tmp") as self.folder:
                self.python = python
                test(self)
    return run


class EveryInterpreter(unittest.TestCase):
    def path(self, name, text=None):
        """The name that the interpreter knows it by."""
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path.removeprefix(self.python.root)

    def read(self, path):
        with open(self.python.root + path, encoding="utf-8") as file:
            return file.read()

    def command(self, *arguments):
        return [*in_root(self.python.root), *arguments]

    def shapes(self):
        """The command that runs all shapes, and the file that will have the truth."""
        shutil.copy(SHAPES, self.folder)
        said = self.path("truth")
        return self.command(self.python.path, self.path(os.path.basename(SHAPES)), said), said

    @each
    def test_every_frame_of_every_shape(self):
        command, said = self.shapes()
        output, errors = trace('tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { printf("#%d%s\\n", tid, ustack(python, 1024)); }', command, "-q")
        truth = by_thread(json.loads(line) for line in self.read(said).splitlines())
        seen = by_thread(stacks(output))
        self.assertEqual(sorted(map(len, seen.values())), sorted(map(len, truth.values())))
        for tid, expected in truth.items():
            for number, (frames, wanted) in enumerate(zip(seen[tid], expected)):
                self.assertEqual(frames, wanted, f"stack {number} of thread {tid}")
        self.assertNotIn("truncated", errors)

    @each
    def test_among_native_frames(self):
        """Python frames stand behind the native frame that runs them: where the interpreter's loop has a name, behind each loop and nowhere else."""
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { printf("#%d%s\\n#%d%s\\n", tid, ustack(mixed, 8192), tid, '
                          'ustack(python, 1024)); }', self.shapes()[0], "-q", "--stop-on-map")   # ctypes loads a library late
        found = stacks(output)
        self.assertGreater(len(found), 300)
        named, others, loops = 0, set(), set()
        for (_, mixed), (_, alone) in zip(found[::2], found[1::2]):
            self.assertEqual([[frame[0].removeprefix("[py] "), *frame[1:]] for frame in mixed if isinstance(frame, list)], alone)
            self.assertNotIn("        [Python frames whose place among the others is not known:]", mixed)
            self.assertFalse(any("truncated" in frame for frame in mixed), mixed[-3:])
            for frame, before in zip(mixed[1:], mixed):
                if isinstance(before, list):
                    continue
                if "_PyEval_EvalFrameDefault" in before:
                    named += 1
                    self.assertIsInstance(frame, list, mixed)
                elif isinstance(frame, list):
                    self.assertRegex(before, r"^ +0x")   # a part of the loop that a stripped interpreter has no name for
                    loops.add(int(before, 16))
                elif re.match(" +0x", before):
                    others.add(int(before, 16))
        self.assertGreater(named + len(loops), 10)
        if loops:
            self.assertLess(max(loops) - min(loops), 1 << 17)   # one function
            self.assertFalse([address for address in others if min(loops) <= address <= max(loops)])

    @each
    def test_the_number_of_frames(self):
        command, said = self.shapes()
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { printf("#%d %d\\n", tid, len(ustack(python))); }', command, "-q")
        truth = by_thread((tid, len(frames)) for tid, frames in map(json.loads, self.read(said).splitlines()))
        seen = by_thread((int(tid), int(count)) for tid, count in re.findall(r"^#(\d+) (\d+)$", output, re.M))
        self.assertEqual(seen, truth)

    @each
    def test_a_script_that_ends_right_after_its_hit(self):
        script = self.path("brief.py", "import os\ndef last():\n    os.getppid()\n    os._exit(0)\nlast()\n")
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { @[ustack(python)] = count(); }', self.command(self.python.path, script), "-q")
        self.assertEqual(output.strip(), f"@[\n        last ({script}:3)\n        <module> ({script}:5)\n]: 1")

    @each
    def test_a_child_by_fork(self):
        script = self.path("fork.py", "import os\ndef child():\n    os.getppid()\npid = os.fork()\nif pid == 0:\n    child()\n    os._exit(0)\nos.waitpid(pid, 0)\n")
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid { printf("%s\\n", ustack(python)); }', self.command(self.python.path, script), "-q")
        self.assertIn(f"        child ({script}:3)\n        <module> ({script}:6)\n", output)

    @each
    def test_behind_a_shell_script(self):
        script = self.path("app.py", "import os\ndef f():\n    os.getppid()\nf()\n")
        shim = self.path("python3", f"#!/bin/sh\nexec {self.python.path} \"$@\"\n")
        os.chmod(self.python.root + shim, 0o755)
        output, _ = trace('tracepoint:syscalls:sys_enter_getppid { printf("%s\\n", ustack(python)); }', self.command("/bin/sh", "-c", f"{shim} {script}; true"), "-q")
        self.assertIn(f"        f ({script}:3)\n        <module> ({script}:4)", output)

    @each
    def test_on_overlayfs(self):
        """As containers have it: what stat() says of a file is not what the kernel has at its mappings. The one hit finds the interpreter known already."""
        for name in ("empty", "merged"):
            os.mkdir(os.path.join(self.folder, name))
        merged = os.path.join(self.folder, "merged")
        prefix = os.path.dirname(os.path.dirname(self.python.path))
        mounted = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={self.python.root}{prefix}:{self.folder}/empty", merged],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("overlayfs cannot be mounted: " + mounted.stderr)
        try:
            python = self.python.path.replace(prefix, self.path("merged"), 1)
            script = self.path("brief.py", "import os\nos.getppid()\n")
            for frames in ("python", "mixed"):
                output, _ = trace(f"tracepoint:syscalls:sys_enter_getppid /pid == cpid/ {{ print(ustack({frames})); }}", self.command(python, script), "-q")
                self.assertIn(f"<module> ({script}:2)\n", output)
        finally:
            subprocess.run(["umount", merged], check=True)

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
    def test_samples_are_whole_and_possible(self):
        """Samples come at any moment; each must reach the script's <module> by calls that the script makes, in lines that the functions have."""
        script = self.path("busy.py", self.BUSY)
        output, errors = trace('profile:hz:999 /pid == cpid/ { printf("#%d%s\\n", tid, ustack(python)); }', self.command(self.python.path, "-S", script), "-q")
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


class SystemWide(unittest.TestCase):
    """Programs that the runner did not expect."""
    def trace_new(self, original, *arguments):
        """Traces a copy of a program, a file that was never seen, which a running trace meets; what trc said."""
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copy(original, os.path.join(folder, "trcunseen"))
            program = 'tracepoint:syscalls:sys_enter_openat /comm == "trcunseen"/ { @[ustack(python)] = count(); }'
            with subprocess.Popen([TRC, "-e", program], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as trc:
                try:
                    self.assertIn("Attached", trc.stderr.readline())
                    subprocess.run([copy, *arguments], check=True, timeout=60)
                finally:
                    trc.send_signal(signal.SIGINT)
                return trc.communicate(timeout=60)

    def test_a_program_without_python_has_whole_stacks(self):
        output, errors = self.trace_new("/bin/sleep", "1")
        self.assertRegex(output, r"\A\s*@\[[^\]]*\]: \d+\s*(@\[\]: \d+\s*)?\Z")
        self.assertNotIn("cut", errors)

    def test_an_interpreter_met_too_early_is_told(self):
        own = [python for python in INTERPRETERS.values() if not python.root and b".PyRuntime" in pathlib.Path(python.path).read_bytes()]
        if not own:
            self.skipTest("no interpreter without libpython")
        _, errors = self.trace_new(own[0].path, "-S", "-c", "import time; time.sleep(1)")
        self.assertRegex(errors, r"\d+ of \d+ stacks are cut: a new file that may hold Python was not looked at yet, \d+\n")

    def test_empty_stacks_of_all_processes_are_one(self):
        script = 'tracepoint:syscalls:sys_enter_openat /comm == "true"/ { @[ustack(python)] = count(); }'
        output, _ = trace(script, ["/bin/sh", "-c", "/bin/true; /bin/true"], "-q")
        self.assertRegex(output, r"\A\s*@\[\]: \d+\s*\Z")


if __name__ == "__main__":
    missing = needs.missing(["root", "tracepoint", "btf", "perf"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    if not INTERPRETERS:
        print("SKIP: no Python 3.11 to 3.14 here")
        sys.exit(77)
    print("interpreters:", ", ".join(map(str, INTERPRETERS.values())))
    absent = sorted(set(VERSIONS) - {key[:2] for key in INTERPRETERS})
    if absent:
        print("not here:", ", ".join(f"{major}.{minor}" for major, minor in absent))
    unittest.main()
