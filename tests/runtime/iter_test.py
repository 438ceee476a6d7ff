#!/usr/bin/env python3
"""What iterators go through is compared with what /proc and the socket of this test say.

COVERS probe iter
"""
import os
import pathlib
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402


def run(script, *args):
    done = subprocess.run([os.environ["TRC"], *args, "-q", "-e", script], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout, done.stderr


def lines(script, *args):
    return [line for line in run(script, *args)[0].splitlines() if line]


class Iterators(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sleeper = subprocess.Popen(["sleep", "100"], stdin=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.sleeper.kill()
        cls.sleeper.wait()

    def kinds(self):
        done = subprocess.run([os.environ["TRC"], "-l", "iter:*"], capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.split()

    def need(self, kind):
        if "iter:" + kind not in self.kinds():
            self.skipTest(f"this kernel has no iterator {kind}")

    def test_tasks_are_those_of_proc(self):
        def threads(processes="[0-9]*"):
            return {int(path.name) for path in pathlib.Path("/proc").glob(processes + "/task/[0-9]*")}

        done = threading.Event()
        more = [threading.Thread(target=done.wait) for _ in range(5)]
        children = [subprocess.Popen(["sleep", "100"], stdin=subprocess.DEVNULL) for _ in range(20)]
        for one in more:
            one.start()
        try:
            ours = threads(str(os.getpid())) | {child.pid for child in children}
            found = [int(line) for line in lines('iter:task { printf("%d\\n", ctx.task.pid); }')]
        finally:
            done.set()
            for child in children:
                child.kill()
                child.wait()
        self.assertEqual(len(ours), 26)
        self.assertEqual(ours - set(found), set())
        self.assertEqual(len(found), len(set(found)))

    def test_mappings_are_those_of_proc(self):
        script = 'iter:task_vma { printf("%llx-%llx %s\\n", ctx.vma.vm_start, ctx.vma.vm_end, path(ctx.vma.vm_file.f_path, 512)); }'
        found = [line.rstrip() for line in lines(script, "-p", str(self.sleeper.pid))]
        wanted = []
        for line in pathlib.Path(f"/proc/{self.sleeper.pid}/maps").read_text().splitlines():
            words = line.split(maxsplit=5)
            first, last = (int(one, 16) for one in words[0].split("-"))
            if first < 1 << 63:   # [vsyscall] is no mapping of the process
                wanted.append(f"{first:x}-{last:x} {words[5] if len(words) > 5 and words[5][0] == '/' else ''}".rstrip())
        self.assertEqual(found, wanted)

    def test_files_are_those_of_proc(self):
        script = 'iter:task_file { printf("%d %s\\n", ctx.fd, path(ctx.file.f_path, 512)); }'
        found = dict(line.split(" ", 1) for line in lines(script, "-p", str(self.sleeper.pid)))
        folder = pathlib.Path(f"/proc/{self.sleeper.pid}/fd")
        wanted = {path.name: os.readlink(path) for path in folder.iterdir()}
        self.assertEqual(set(found), set(wanted))
        for number, name in wanted.items():
            if name.startswith("/"):
                self.assertEqual(found[number], name)

    def test_a_listening_socket_is_there(self):
        self.need("tcp")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            found = lines("iter:tcp { if (ctx.sk_common.skc_num == %d) { printf(\"%%d %%d\\n\", ctx.sk_common.skc_state, ctx.uid); } }" % port)
        self.assertEqual(found, ["10 0"])   # TCP_LISTEN

    def test_a_socket_has_the_cookie_that_the_kernel_tells(self):
        self.need("udp")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            cookie = int.from_bytes(one.getsockopt(socket.SOL_SOCKET, 57, 8), sys.byteorder)   # SO_COOKIE
            found = lines("iter:udp { if (ctx.udp_sk.inet.inet_sport == %d) { print(socket_cookie(ctx.udp_sk)); } }"
                          % socket.htons(one.getsockname()[1]))
        self.assertEqual(found, [str(cookie)])

    def test_symbols_many_lines_and_none_is_lost(self):
        self.need("ksym")
        with open("/proc/kallsyms") as table:
            wanted = {tuple(line.split()[:3:2]) for line in table if "[" not in line}
        out, err = run('iter:ksym { printf("%016llx %s\\n", ctx.ksym.value, str(ctx.ksym.name)); @n = count(); }')
        found = [line for line in out.splitlines() if line and not line.startswith("@n")]
        self.assertEqual(f"@n: {len(found)}", out.strip().splitlines()[-1])
        self.assertNotIn("lost", err)
        self.assertEqual(wanted - {tuple(line.split(" ", 1)) for line in found}, set())

    def test_control_groups(self):
        self.need("cgroup")
        root = pathlib.Path("/sys/fs/cgroup")
        if not (root / "cgroup.controllers").exists():
            self.skipTest("no unified control groups here")
        before = {path.stat().st_ino for path in [root, *root.glob("**/")]}
        found = {int(line) for line in lines('iter:cgroup { if (ctx.cgroup != 0) { printf("%llu\\n", ctx.cgroup.kn.id); } }')}
        after = {path.stat().st_ino for path in [root, *root.glob("**/")]}
        self.assertEqual((before & after) - found, set())

    def test_every_kind_that_is_listed_runs(self):
        for probe in self.kinds():
            with self.subTest(probe):
                kind = probe.split(":")[1]
                run(f"{probe} {{ @ = count(); }}")
                self.assertTrue(kind)


if __name__ == "__main__":
    missing = needs.missing(["root", "btf"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
