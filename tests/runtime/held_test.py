#!/usr/bin/env python3
"""trc stops what its command executes until it has attached; when trc is killed with SIGKILL, all of them go on."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

TRC = os.environ["TRC"]
PROGRAMS = os.environ["TRC_TEST_PROGRAMS"]
PATIENCE = 30   # seconds: far more than anything here takes
STORM = "for i in 1 2 3 4; do while :; do /bin/true; done & done; wait"


def until(condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


class Held(unittest.TestCase):
    def setUp(self):
        self.mark = f"TRC_TEST_HELD={os.getpid()}.{time.monotonic_ns()}".encode()
        self.trc = None

    def tearDown(self):
        while processes := self.processes():
            for pid in processes:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if self.trc:
                self.trc.poll()
        if self.trc:
            self.trc.wait()
            self.trc.stdout.close()

    def processes(self):
        """Those of the command and trc's own, by their state."""
        found = {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if self.mark in (folder / "environ").read_bytes().split(b"\0"):
                    state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                    if state != "Z":
                        found[int(folder.name)] = state
            except (OSError, IndexError):
                pass   # it is gone
        return found

    def stopped(self):
        return [pid for pid, state in self.processes().items() if state == "T" and pid != self.trc.pid]

    def all_go_on(self):
        """Also after a while, for a program that was running when trc was killed."""
        if self.stopped():
            return False
        time.sleep(0.1)
        return not self.stopped()

    def start(self, script, command, *options):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TRC")} | dict([self.mark.decode().split("=")])
        self.trc = subprocess.Popen([TRC, "-q", *options, "-e", "begin { print(\"begun\"); } " + script, "-c", command], env=environment,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(self.trc.stdout.readline(), "begun\n")

    def kill(self):
        self.trc.kill()
        self.trc.wait()

    def held_go_on(self, script, command, *options, least=1):
        # A stopped trc lets nobody go on.
        self.start(script, command, *options)
        time.sleep(random.uniform(0, 0.3))
        self.trc.send_signal(signal.SIGSTOP)
        self.assertTrue(until(lambda: len(self.stopped()) >= least), f"too few were stopped: {self.processes()}")
        self.kill()
        self.assertTrue(until(lambda: not self.stopped()), f"left stopped: {self.processes()}")
        self.assertTrue(self.processes())

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="trc-held-")
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def test_executed(self):
        self.held_go_on(f"uprobe:{PROGRAMS}/work:* {{ @ = count(); }}", f"sh -c '{STORM}'")

    def test_parents_that_stop_with_their_child(self):
        # As sudo does: a parent that stops when its child has stopped. The child does nothing but execute itself.
        parent, child = self.folder() / "parent.py", self.folder() / "child.sh"
        child.write_text(f"exec sh {child}\n")
        parent.write_text(f"import os, signal\npid = os.fork()\nif pid == 0: os.execvp('sh', ['sh', '{child}'])\nwhile True:\n"
                          " _, status = os.waitpid(pid, os.WUNTRACED)\n if not os.WIFSTOPPED(status): break\n os.kill(os.getpid(), signal.SIGSTOP)\n")
        self.held_go_on(f"uprobe:{PROGRAMS}/work:* {{ @ = count(); }}", f"{sys.executable} {parent}", least=2)

    def loads_libraries(self):
        """Behind a shell: the command's first process ends with trc."""
        return f"sh -c '{PROGRAMS}/storm {PROGRAMS}/libtrcdeep.so {self.folder()} 4 1000000; :'"

    def test_mapped(self):
        self.held_go_on(f"uprobe:{PROGRAMS}/storm:storm_hit {{ @[ustack] = count(); }}", self.loads_libraries(), "--stop-on-map")

    def test_opened(self):
        self.held_go_on(f"uprobe:{PROGRAMS}/storm:storm_hit {{ @[ustack] = count(); }}", self.loads_libraries())

    def test_killed_at_any_moment(self):
        for _ in range(20):
            self.start(f"uprobe:{PROGRAMS}/work:* {{ @ = count(); }}", f"sh -c '{STORM}'")
            time.sleep(random.uniform(0, 0.2))
            self.kill()
            self.assertTrue(until(self.all_go_on), f"left stopped: {self.processes()}")
            self.tearDown()
            self.setUp()


if __name__ == "__main__":
    missing = needs.uprobe()
    if missing:
        print("SKIP:", missing)
        sys.exit(77)
    unittest.main()
