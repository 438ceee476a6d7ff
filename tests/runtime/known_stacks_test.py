#!/usr/bin/env python3
"""User stacks whose every function is known: programs of tests/programs, built in different ways, that leave functions in different ways."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

TRC = os.environ["TRC"]
SOURCE = os.environ["TRC_TEST_SOURCE"]
PROGRAMS = os.environ["TRC_TEST_PROGRAMS"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("TRC")} | {"LC_ALL": "C", "DEBUGINFOD_URLS": ""}


def trc(script, *command, options=()):
    done = subprocess.run([TRC, "-q", *options, "-e", script, "-c", " ".join(command)], env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    if done.returncode != 0:
        raise AssertionError(f"trc ended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def stacks(text):
    """The functions of each stack; the place in them is left out."""
    found = [[]]
    for line in text.splitlines():
        if line.startswith("        "):
            found[-1].append(re.sub(r"\+\d+$", "", line.strip()))
        elif found[-1]:
            found.append([])
    return [stack for stack in found if stack]


class Known(unittest.TestCase):
    def stack(self, program, function, *arguments, others=""):
        done = trc(f"{others} uprobe:{PROGRAMS}/{program}:{function} {{ print(ustack); }}", f"{PROGRAMS}/{program}", *arguments)
        found = stacks(done.stdout)
        self.assertEqual(len(found), 1, done.stdout)
        return found[0], done.stderr

    SIGNAL = ["signals_bottom", "inner", "inner", "inner", "handler", "return of the signal", "interrupted", "outer", "outer", "outer", "main"]

    def signals(self, program):
        found, errors = self.stack(program, "signals_bottom", "3")
        if re.fullmatch("__restore_rt|0x[0-9a-f]+", found[5]):   # a C library may be stripped
            found[5] = "return of the signal"
        self.assertEqual(found[:len(self.SIGNAL)], self.SIGNAL)
        return found[len(self.SIGNAL):], errors

    def test_signal(self):
        for program in ("signals", "signals_static_pie"):
            with self.subTest(program=program):
                rest, errors = self.signals(program)
                self.assertEqual(rest[-1], "_start")
                self.assertEqual(errors, "")

    def test_signal_whose_return_has_no_name(self):
        """The walker says which frame a handler returns to and which was interrupted, whatever the symbols are."""
        if not shutil.which("objcopy"):
            self.skipTest("lacks objcopy (binutils)")
        with tempfile.TemporaryDirectory(prefix="trc-signals-") as folder:
            # A function of a library that is stripped and whose debug symbols are not found; a static program without that one symbol.
            libc = re.search(r"libc\.so\.6 => (\S+)", subprocess.run(["ldd", f"{PROGRAMS}/signals"], capture_output=True, text=True, check=True).stdout)[1]
            subprocess.run(["objcopy", "--strip-all", "--remove-section=.gnu_debuglink", "--remove-section=.note.gnu.build-id", libc, f"{folder}/libc.so.6"], check=True)
            subprocess.run(["objcopy", "--strip-symbol=__restore_rt", f"{PROGRAMS}/signals_static_pie", f"{folder}/static"], check=True)
            for program, environment in (("signals", ["env", f"LD_LIBRARY_PATH={folder}"]), (f"{folder}/static", [])):
                with self.subTest(program=program):
                    path = os.path.join(PROGRAMS, program)
                    done = trc(f"uprobe:{path}:signals_bottom {{ print(ustack); print(ustack(raw)); }}", *environment, path, "3",
                               options=["--stop-on-map"])   # nobody has seen that library before
                    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("        ")]
                    raw = re.findall("^[0-9a-f]+$", done.stdout, re.M)
                    self.assertEqual(raw[5], lines[5][2:])
                    self.assertEqual([re.sub(r"\+\d+$", "", line) for line in lines[:5]], self.SIGNAL[:5])
                    self.assertRegex(lines[5], "^0x[0-9a-f]+$")
                    self.assertEqual(lines[6], "interrupted+0")   # its first instruction; the byte before is another function's
                    self.assertEqual(done.stderr, "")

    def test_signal_with_musl(self):
        if not os.path.exists(f"{PROGRAMS}/signals_musl"):
            self.skipTest("lacks musl-gcc (musl-tools)")
        # What calls main() there has neither unwind tables nor a frame pointer, but what has called that is known.
        rest, errors = self.signals("signals_musl")
        self.assertEqual((len(rest), rest[-1], errors), (2, "_start", ""))

    def test_thread_with_musl(self):
        if not os.path.exists(f"{PROGRAMS}/threads_musl"):
            self.skipTest("lacks musl-gcc (musl-tools)")
        done = trc(f"uprobe:{PROGRAMS}/threads_musl:thread_work {{ print(ustack); }}", f"{PROGRAMS}/threads_musl", "2", "1")
        found = stacks(done.stdout)
        self.assertEqual(len(found), 2, done.stdout)
        for stack in found:
            self.assertEqual((stack[:2], len(stack), stack[-1]), (["thread_work", "run"], 4, "__clone"))
        self.assertEqual(done.stderr, "")

    def test_generated_code(self):
        """Functions in memory that no table describes, most of which keep no frame pointer; the program knows where each call returns to."""
        program = f"{PROGRAMS}/generated"
        script = f'uprobe:{program}:generated_bottom {{ printf("count %d\\n", len(ustack)); print(ustack(raw)); }}'
        for config in ("", "config = { stack_unwind = dwarf } "):
            with self.subTest(config=config):
                done = trc(config + script, program, "100")
                truth = re.findall("^return ([0-9a-f]+)$", done.stdout, re.M)
                frames = re.findall("^[0-9a-f]+$", done.stdout, re.M)
                self.assertEqual(len(truth), 201)
                self.assertEqual(frames[2:2 + len(truth)], truth)
                self.assertEqual(re.findall(r"^count (\d+)$", done.stdout, re.M), [str(len(frames))])
                self.assertEqual(done.stderr, "")

    def test_nothing_to_go_by(self):
        found, errors = self.stack("frames_blind", "frames_bottom", "5")
        self.assertEqual(found[0], "frames_bottom")
        self.assertIn("truncated: ", found[-1])
        self.assertIn("1 of 1 stacks are cut", errors)

    def test_after_longjmp(self):
        expected = ["jumps_bottom"] + 5 * ["again"] + ["jump", "main"]
        # The return probes of jumped() stay pending.
        for others in ("", f"uretprobe:{PROGRAMS}/jumps:jumped {{ @returns = count(); }}"):
            with self.subTest(others=others):
                found, errors = self.stack("jumps", "jumps_bottom", "longjmp", others=others)
                self.assertEqual(found[:len(expected)], expected)
                self.assertEqual((found[-1], errors), ("_start", ""))

    def test_child_on_the_stack_of_its_parent(self):
        done = trc("tracepoint:syscalls:sys_enter_execve /comm == \"jumps\" && pid != cpid/ { @stack[ustack] = count(); }", f"{PROGRAMS}/jumps", "vfork")
        found = stacks(done.stdout)
        self.assertGreaterEqual(len(found), 1, done.stdout)
        for stack in found:
            self.assertEqual(stack[stack.index("have_child"):][:2], ["have_child", "main"])
            self.assertEqual(stack[-1], "_start")
        self.assertEqual(done.stderr, "")

    def test_in_the_vdso(self):
        done = trc("profile:hz:999 /pid == cpid/ { @[ustack(perf)] = count(); }", f"{PROGRAMS}/jumps", "clock", "500")
        taken = [(stack, int(count)) for stack, count in re.findall(r"^@\[\n(.*?)\]: (\d+)$", done.stdout, re.M | re.S)]
        asking = [(stack, count) for stack, count in taken if "ask_for_the_time+" in stack]
        self.assertGreaterEqual(sum(count for _, count in asking), 10)   # of half a second by the clock, of which a busy machine may give little
        inside = [stack for stack, _ in asking if "([vdso])" in stack]
        self.assertTrue(inside, done.stdout)
        for stack, _ in asking:
            self.assertRegex(stack.strip().splitlines()[-1], r" _start\+\d+ ")
            self.assertNotIn("truncated", stack)

    def build_go(self, folder, name):
        if not shutil.which("go"):
            self.skipTest("lacks go")
        subprocess.run(["go", "build", "-o", f"{folder}/{name}", f"{SOURCE}/tests/programs/{name}.go"], check=True, timeout=200,
                       env=os.environ | {"GOCACHE": f"{folder}/cache", "GOTOOLCHAIN": "local"})
        return f"{folder}/{name}"

    def test_go_through_c_and_back(self):
        with tempfile.TemporaryDirectory(prefix="trc-go-") as folder:
            program = self.build_go(folder, "callbacks")
            done = trc("tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { print(ustack); }", program)
            found = stacks(done.stdout)
            self.assertEqual([[name for name in stack if name in ("bottom", "inC", "main.goBack", "main.start", "main.main", "main.main.func1")]
                              for stack in found],
                             [["bottom"] + 3 * ["main.goBack", "inC"] + ["main.start", "main.main"],
                              ["bottom"] + 2 * ["main.goBack", "inC"] + ["main.start", "main.main.func1"]])
            for stack in found:
                self.assertRegex(stack[-1], r"^runtime\.goexit")
            self.assertEqual(done.stderr, "")

    def test_go(self):
        with tempfile.TemporaryDirectory(prefix="trc-go-") as folder:
            program = self.build_go(folder, "goroutines")
            done = trc(f'uprobe:{program}:"main.bottom" {{ print(ustack); }}', program, "0")
            bottom, counted = ["main.bottom"] + 4 * ["main.descend"], ["main.(*counter).count"]
            for found, expected in zip(stacks(done.stdout), (bottom + counted + ["main.main", "runtime.main"],
                                                             bottom[:-1] + counted + ["main.main.func1"]), strict=True):
                self.assertEqual(found[:-1], expected)
                self.assertRegex(found[-1], r"^runtime\.goexit")
            self.assertEqual(done.stderr, "")
            done = trc("profile:hz:999 /pid == cpid/ { @[ustack(perf)] = count(); }", program, "500")
            self.assertEqual(done.stderr, "")   # whatever was going on
            asking = [stack for stack in re.findall(r"^@\[\n(.*?)\]: \d+$", done.stdout, re.M | re.S) if "([vdso])" in stack and "time.now+" in stack]
            self.assertTrue(asking, done.stdout)
            for stack in asking:
                self.assertIn(" main.main+", stack)
                self.assertRegex(stack.strip().splitlines()[-1], r" runtime\.goexit")
            done = trc(f'uprobe:{program}:"runtime.sighandler" {{ @[ustack] = count(); }}', program, "500")
            interrupted = [stack for stack in stacks(done.stdout) if "main.main" in stack]
            self.assertTrue(interrupted, done.stdout)
            for stack in interrupted:
                self.assertTrue([name for name in stack[:6] if name.startswith("runtime.sigreturn")], stack)
                self.assertRegex(stack[-1], r"^runtime\.goexit")
            subprocess.run(["strip", program], check=True)
            done = trc("profile:hz:999 /pid == cpid/ { @[ustack] = count(); }", program, "500")
            self.assertIn("@[", done.stdout)
            self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    missing = needs.uprobe() or needs.tracefs()
    if missing:
        print("SKIP:", missing)
        sys.exit(77)
    unittest.main()
