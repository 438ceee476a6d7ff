#!/usr/bin/env python3
"""Stacks of code that is gone when they are printed: every frame named, and as the program itself says. The maps are printed at the end, when
the processes have ended; tests/programs/names_host.c has the jobs."""
import ctypes
import functools
import http.server
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

TRC = os.environ["TRC"]
HOST = os.path.join(os.environ["TRC_TEST_PROGRAMS"], "names_host")
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("TRC", "BPFTRACE"))}
# The function that the dynamic loader finds, and another one that the system call is made in: local, so that .dynsym alone does not name it.
LIBRARY = """
#include <unistd.h>
%(padding)s
__attribute__((noinline)) static long inner_%(name)s(long x) { const long r = getppid(); __asm__ volatile(""); return r + x; }
__attribute__((noinline)) long work_%(name)s(long x) { const long r = inner_%(name)s(x); __asm__ volatile(""); return r + 1; }
long work(long) __attribute__((alias("work_%(name)s")));
"""
PROGRAM = "tracepoint:syscalls:sys_enter_getppid /comm == \"names_host\"/ { @[ustack(4)] = count(); }"


def run(*command, cwd=None):
    subprocess.run(command, check=True, cwd=cwd)


class Names(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="trc_names_")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def library(self, name, padding=""):
        """Frame pointers are kept: a stack taken a moment after a dlopen may come before the library's unwind table."""
        source, path = self.path(name + ".c"), self.path(name + ".so")
        with open(source, "w") as out:
            out.write(LIBRARY % {"name": name, "padding": padding})
        run("gcc", "-O1", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-shared", "-fPIC", "-Wl,--build-id", "-o", path, source)
        return path

    def trace(self, *job, wrap=(), host=HOST, environment=None):
        """What trc has counted: (names of the frames above getppid) -> times; and the calls that the program says."""
        command = [*wrap, host, *job]
        # Without --stop-on-map a process can be gone before anybody has looked at what it mapped a moment ago.
        done = subprocess.run([TRC, "--stop-on-map", "-e", PROGRAM, "-c", shlex.join(command)], env=ENVIRONMENT | (environment or {}), capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.said = done.stdout
        counts = {}
        for frames, times in re.findall(r"^@\[\n((?: +.*\n)+)\]: (\d+)$", done.stdout, re.M):
            names = [line.strip() for line in frames.splitlines()]
            self.assertEqual([name for name in names if name.startswith("0x")], [], done.stdout + done.stderr)
            names = tuple(re.sub(r"\+\d+$", "", name) for name in names)
            counts[names] = counts.get(names, 0) + int(times)
        told = sum(int(times) for times in re.findall(r"^called \w+ (\d+)$", done.stdout, re.M))
        self.assertTrue(told, done.stdout + done.stderr)
        return counts, told

    def test_another_library_at_the_same_address(self):
        a, b = self.library("a"), self.library("b", "long padding_b(long x) { return x * 3; } long more_b(long x) { return x / 3; }")
        counts, _ = self.trace("swap", "50", a, b)
        self.assertIn("at one address", self.said)
        for name in "ab":
            found = sum(count for names, count in counts.items() if names[1] == f"inner_{name}")
            self.assertEqual(found, 50, f"{counts}")

    def test_a_library_without_a_path(self):
        self.check_inner("memfd", self.library("a"))

    def test_a_deleted_library(self):
        self.check_inner("delete", self.library("a"))

    def test_a_replaced_library(self):
        self.check_inner("replace", self.library("a"), self.library("b", "long padding_b(long x) { return x * 3; }"))

    def check_inner(self, *job, times=1, **options):
        counts, told = self.trace(*job, **options)
        found = sum(count for names, count in counts.items() if names[1:3] in (("inner_a", "work_a"), ("inner_a", "work")))
        self.assertEqual((found, told), (times, times), f"{counts}\n{self.said}")

    def test_children_that_end_at_once(self):
        self.check_inner("child", "40", self.library("a"), times=40)

    def test_many_forks(self):
        counts, told = self.trace("forks", "500")
        self.assertEqual(told, 500)
        self.assertEqual(sum(count for names, count in counts.items() if names[1] == "in_child"), 500, f"{counts}")

    def test_eight_threads_that_load_and_unload(self):
        libraries = [self.library(name, f"long padding_{name}(long x) {{ return x * {i}; }}") for i, name in enumerate("abcd")]
        counts, told = self.trace("threads", "8", "40", *libraries)
        self.assertEqual(told, 320)
        for name in "abcd":
            self.assertEqual(sum(count for names, count in counts.items() if names[1] == f"inner_{name}"), 80, f"{counts}")

    def test_a_stripped_library_with_a_debug_link(self):
        a = self.library("a")
        run("objcopy", "--only-keep-debug", a, a + ".debug")
        run("strip", a)
        run("objcopy", f"--add-gnu-debuglink={a}.debug", a)
        self.check_inner("child", "1", a)

    def test_a_stripped_library_with_packed_symbols(self):
        a = self.library("a")
        run("cp", a, self.path("mini"))
        run("objcopy", "--strip-debug", self.path("mini"))
        run("xz", self.path("mini"))
        run("strip", a)
        run("objcopy", f"--add-section=.gnu_debugdata={self.path('mini')}.xz", a)
        self.check_inner("child", "1", a)

    def test_a_stripped_library_and_a_server_of_debug_files(self):
        try:
            ctypes.CDLL("libdebuginfod.so.1")
        except OSError:
            self.skipTest("libdebuginfod is not installed")
        a = self.library("a")
        notes = subprocess.run(["readelf", "-n", a], capture_output=True, text=True, check=True).stdout
        place = os.path.join(self.folder, "served", "buildid", re.search(r"Build ID: (\w+)", notes).group(1))
        os.makedirs(place)
        run("objcopy", "--only-keep-debug", a, os.path.join(place, "debuginfo"))
        run("strip", a)
        asked = []

        class Files(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format, *arguments):
                asked.append(self.path)

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=self.path("served"))) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.check_inner("child", "1", a, environment={"DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_port}",
                                                           "DEBUGINFOD_CACHE_PATH": self.path("cache")})
            server.shutdown()
        self.assertEqual(asked.count("/" + os.path.relpath(os.path.join(place, "debuginfo"), self.path("served"))), 1, asked)

    def test_a_program_that_is_replaced_while_it_runs(self):
        program = self.path("host")
        shutil.copy(HOST, program)
        shutil.copy("/bin/true", self.path("other"))
        # The shell holds the program open under its number; the name is another file's when it runs.
        script = f'exec 9<{program}; mv {self.path("other")} {program}; exec /proc/self/fd/9 "$@"'
        counts, told = self.trace("forks", "3", host="sh", wrap=("bash", "-c", script))
        self.assertEqual(sum(count for names, count in counts.items() if names[1] == "in_child"), 3, f"{counts}")

    def test_another_root(self):
        root = self.path("root")
        os.makedirs(os.path.join(root, "deep"))
        for needed in re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", HOST], capture_output=True, text=True, check=True).stdout):
            os.makedirs(root + os.path.dirname(needed), exist_ok=True)
            shutil.copy(needed, root + needed)
        shutil.copy(self.library("a"), os.path.join(root, "deep"))
        self.check_inner("chroot", root, "/deep/a.so")

    def test_another_mount_namespace(self):
        # The library exists only on a file system that nobody else sees, and that is gone with the command.
        if missing := needs.mount_namespace():
            self.skipTest(missing)
        self.library("a")
        hidden = self.path("hidden")
        os.mkdir(hidden)
        script = f'mount -t tmpfs none {hidden} && cp {self.path("a.so")} {hidden} && "$0" "$@"; exit $?'
        self.check_inner("child", "3", os.path.join(hidden, "a.so"), times=3, wrap=("unshare", "-m", "bash", "-c", script))

    def test_generated_code_of_a_container(self):
        # Its perf map bears the number that the process has there, and lies in a /tmp that is gone with it.
        if missing := needs.mount_namespace():
            self.skipTest(missing)
        inside = ("unshare", "--mount", "--pid", "--fork", "bash", "-c", 'mount -t tmpfs none /tmp && "$0" "$@"; exit $?')
        counts, _ = self.trace("generate", wrap=inside)
        self.assertEqual([times for names, times in counts.items() if names[0] == "generated_one"], [1], f"{counts}")


if __name__ == "__main__":
    missing = needs.missing(["root", "tracepoint", "command:objcopy", "command:gcc", "command:xz", "command:unshare"])
    if missing:
        print(f"SKIP: {missing}")
        sys.exit(77)
    unittest.main()
