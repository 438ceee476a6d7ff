#!/usr/bin/env python3
"""User stacks against gdb's, address by address, at one place of programs whose layout in memory does not change from run to run."""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

TRC = os.environ["TRC"]
PROGRAMS = os.environ["TRC_TEST_PROGRAMS"]
SOURCE = os.environ["TRC_TEST_SOURCE"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("TRC", "BPFTRACE"))} | {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "PYTHONHASHSEED": "0", "DEBUGINFOD_URLS": ""}

# Physical frames only: what gdb makes up for inlined functions and tail calls has no place on the stack.
GDB_SCRIPT = """
import gdb
for setting in ("pagination off", "confirm off", "breakpoint pending on", "backtrace past-main on", "backtrace past-entry on",
                "backtrace limit unlimited", "debuginfod enabled off"):
    try:
        gdb.execute("set " + setting)
    except gdb.error:
        pass
gdb.execute("handle SIGUSR1 nostop noprint pass")
def set_breakpoint():
    try:
        gdb.execute("break *" + PLACE)
        return True
    except gdb.error:
        return False   # in a library that is not there yet
there = set_breakpoint()
if not there:
    gdb.execute("set stop-on-solib-events 1")
gdb.execute("run")
if not there:
    while not set_breakpoint():
        gdb.execute("continue")
    gdb.execute("set stop-on-solib-events 0")
    gdb.execute("continue")
frame = gdb.newest_frame()
if "@plt" in gdb.execute("info symbol %d" % frame.pc(), to_string=True):
    print("gdb missed the libraries")
while frame is not None:
    if frame.type() in (gdb.NORMAL_FRAME, gdb.SIGTRAMP_FRAME):
        print("frame %x" % frame.pc())
    frame = frame.older()
gdb.execute("kill")
"""


def gdb_frames(command, place):
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(GDB_SCRIPT.replace("PLACE", repr(place)))
        script.flush()
        for _ in range(5):
            done = subprocess.run(["gdb", "-q", "-batch", "-nx", "-x", script.name, "--args", *command], env=ENVIRONMENT, capture_output=True, text=True,
                                  timeout=200)
            # It is told of them by a breakpoint in the dynamic linker, where a tracer's may be at the same time. Then it stops in the wrong place.
            if "gdb missed the libraries" not in done.stdout:
                break
            time.sleep(2)
    frames = re.findall(r"^frame ([0-9a-f]+)$", done.stdout, re.M)
    if not frames:
        raise AssertionError(f"gdb shows no stack\n{done.stdout}{done.stderr}")
    # What lies beyond the outermost frame (gdb goes on to an address of 0, or to 1 as argc) is none.
    return [frame for frame in frames if int(frame, 16) > 4096]


def trc_run(script, command, *options):
    done = subprocess.run(["setarch", "-R", TRC, *options, "-e", script, "-c", shlex.join(command)], env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=200)
    if done.returncode != 0:
        raise AssertionError(f"trc ended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def trc_frames(command, probe, others=""):
    """The stack at the first time that the probe fires, and how deep trc counts it to be."""
    done = trc_run(f'{others} {probe} /pid == cpid/ {{ printf("count %d\\n", len(ustack)); print(ustack(raw, 16384)); exit(); }}', command, "-q")
    count = int(re.search(r"^count (\d+)$", done.stdout, re.M).group(1))
    return count, re.findall(r"^([0-9a-f]+|\[truncated.*\])$", done.stdout, re.M)


def in_the_same_place(frames, truth):
    """Probes give a process a page of the kernel's before its libraries are mapped, which may then lie some pages lower than under gdb, all alike."""
    libraries = 0x7f0000000000
    first = [int(frame, 16) if re.fullmatch("[0-9a-f]+", frame) else 0 for frame in (frames[0], truth[0])]
    shift = first[1] - first[0] if min(first) > libraries else 0
    if shift % 4096 != 0:
        return frames
    numbers = [int(frame, 16) if re.fullmatch("[0-9a-f]+", frame) else None for frame in frames]
    return [frame if number is None else "%x" % (number + (shift if number > libraries else 0)) for frame, number in zip(frames, numbers)]


class AgainstGdb(unittest.TestCase):
    maxDiff = 4000

    def same(self, command, place, probe, least, others=""):
        truth = gdb_frames(command, place)
        count, frames = trc_frames(command, probe, others)
        self.assertEqual(in_the_same_place(frames, truth), truth)
        self.assertEqual(count, len(truth))
        self.assertGreaterEqual(len(truth), least)

    def frames(self, program, *arguments, least, others=""):
        command = [f"{PROGRAMS}/{program}", *arguments]
        self.same(command, "frames_bottom", f"uprobe:{command[0]}:frames_bottom", least, others)

    def test_optimised_code_without_frame_pointers(self):
        for depth in (10, 100, 1000):
            with self.subTest(depth=depth):
                self.frames("frames", str(depth), "plain", least=2 * depth)

    def test_signal_handler(self):
        self.frames("frames", "50", "signal", least=100)

    def test_signal_handler_on_a_stack_of_its_own(self):
        self.frames("frames", "50", "altstack", least=100)

    def test_thread(self):
        self.frames("frames", "50", "thread", least=100)

    def test_static_program(self):
        self.frames("frames_static", "50", "signal", least=100)

    def test_call_frames_for_debuggers_only(self):
        self.frames("frames_debug", "100", "plain", least=200)

    def test_pending_return_probes(self):
        program = f"{PROGRAMS}/frames"
        function = next(line.split()[2] for line in subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout.splitlines()
                        if re.search(r" t.*by_qsortl", line, re.I))
        self.frames("frames", "60", "plain", least=100, others=f"uretprobe:{program}:{function} {{ @[probe] = count(); }}")

    def python(self, python, depth, least):
        # The deepest level calls getpgid(), once.
        code = ("import os,sys\nsys.setrecursionlimit(100000)\n"
                "def descend(d):\n if d == 0: os.getpgid(0); return 0\n levels = []\n"
                " sorted([d], key=lambda x: levels.append(descend(x - 1)) or 0)\n return levels[0] + 1\n"
                f"descend({depth})\n")
        self.same([python, "-S", "-c", code], "getpgid", "uprobe:libc.so.6:getpgid", least)

    def test_the_systems_python(self):
        for depth in (10, 100, 1000):
            with self.subTest(depth=depth):
                self.python("/usr/bin/python3", depth, 7 * depth)

    def test_a_python_built_from_source(self):
        found = subprocess.run(["pyenv", "prefix"], capture_output=True, text=True).stdout.strip() if shutil.which("pyenv") else ""
        python = os.environ.get("TRC_TEST_PYTHON") or (found and found + "/bin/python3")
        if not python or not os.path.exists(python):
            self.skipTest("lacks a python3 built from source (TRC_TEST_PYTHON names one)")
        for depth in (10, 100, 1000):
            with self.subTest(depth=depth):
                self.python(os.path.realpath(python), depth, 7 * depth)


class Everywhere(unittest.TestCase):
    """Stacks in every kind of program: they all end where stacks end."""

    def cut(self, script, command):
        """(stacks taken, those that are cut by reason)"""
        done = trc_run(script, command, "-q", "-f", "json")
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        taken = next(line["data"]["@n"] for line in lines if isinstance(line.get("data"), dict) and "@n" in line["data"])
        return taken, [line["data"] for line in lines if line["type"] == "truncated_stacks"]

    def test_return_of_a_function(self):
        taken, cut = self.cut(f"uretprobe:{PROGRAMS}/frames:frames_bottom {{ @n = sum((uint64)(len(ustack) > 20)); @[ustack] = count(); }}",
                              [f"{PROGRAMS}/frames", "20"])
        self.assertEqual((taken, cut), (1, []))

    def test_tracepoints(self):
        for probe in ("tracepoint:syscalls:sys_enter_getppid", "rawtracepoint:sys_enter"):
            with self.subTest(probe=probe):
                taken, cut = self.cut(f"{probe} /comm == \"syscalls\"/ {{ @n = count(); @[ustack] = count(); }}", [f"{PROGRAMS}/syscalls", "50"])
                self.assertGreaterEqual(taken, 50)
                self.assertEqual(cut, [])

    def test_profile(self):
        taken, cut = self.cut("profile:hz:999 /pid == cpid/ { @n = count(); @[ustack] = count(); }", [f"{PROGRAMS}/spin", "600"])
        self.assertGreaterEqual(taken, 100)
        lost = sum(count for program in cut for count in program["reasons"].values())
        self.assertLessEqual(lost, taken // 50, cut)   # places in the dynamic loader that no table can express

    def test_kernel_threads_have_none(self):
        done = trc_run('tracepoint:sched:sched_switch /comm == "kthreadd" || comm == "rcu_preempt"/ { @n = sum(len(ustack)); @[ustack] = count(); }',
                       ["sleep", "1"], "-q", "-f", "json")
        self.assertNotIn("truncated_stacks", done.stdout)


if __name__ == "__main__":
    missing = needs.uprobe() or next((f"lacks {name}" for name in ("gdb", "setarch", "nm") if not shutil.which(name)), None)
    if missing:
        print("SKIP:", missing)
        sys.exit(77)
    unittest.main()
