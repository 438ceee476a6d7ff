#!/usr/bin/env python3
"""What trc counts against what strace counts and what the programs themselves say, on real programs: bash, python3, ls."""
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
PROGRAMS = os.environ["TRC_TEST_PROGRAMS"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("TRC", "BPFTRACE"))} | {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "PYTHONHASHSEED": "0"}


def trace(program, command, *options):
    """Standard output of trc tracing a command."""
    done = subprocess.run([TRC, *options, "-e", program, "-c", shlex.join(command)], env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    if done.returncode != 0:
        raise AssertionError(f"trc ended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def entries(output, name):
    """The entries of a keyed map: key text -> integer."""
    return {key: int(value) for key, value in re.findall(rf"^@{name}\[(.*)\]: (-?\d+)$", output, re.M)}


def number(output, name=""):
    return int(re.search(rf"^@{name}: (-?\d+)$", output, re.M).group(1))


def strace_counts(command):
    """System call -> calls, by strace -c, of the command and its children."""
    with tempfile.NamedTemporaryFile("r") as report:
        subprocess.run(["strace", "-f", "-c", "-U", "calls,name", "-o", report.name, *command], env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
        rows = (line.split() for line in report if re.match(r"\s+\d+ \w+$", line))
        return {row[1]: int(row[0]) for row in rows if row[1] != "total"}


class AgainstStrace(unittest.TestCase):
    # Calls whose number does not depend on how long anything takes or whether somebody watches.
    STEADY = ["openat", "read", "write", "close", "mmap", "munmap", "getppid", "getdents64", "mprotect", "pread64", "dup2", "pipe2", "unlink"]

    def compare(self, command, least):
        truth = strace_counts(command)
        calls = [name for name in self.STEADY if name in truth]
        points = ", ".join(f"tracepoint:syscalls:sys_enter_{name}" for name in calls)
        # strace counts from the first exec on, so what the held child does before it does not count here either.
        output = trace("tracepoint:sched:sched_process_exec /pid == cpid/ { @running = 1; } "
                       + points + " /pid == cpid && @running == 1/ { @[probe] = count(); }", command, "-q")
        seen = {key.rsplit("sys_enter_", 1)[1]: value for key, value in entries(output, "").items()}
        self.assertGreaterEqual(len(calls), least, f"strace saw only {truth}")
        self.assertEqual(seen, {name: truth[name] for name in calls})

    def test_ls(self):
        self.compare(["/bin/ls", "-l", "/etc/apt"], 4)

    def test_bash(self):
        self.compare(["/bin/bash", "--norc", "-c", "for i in 1 2 3; do echo $i > /dev/null; done"], 4)

    def test_python(self):
        self.compare(["/usr/bin/python3", "-S", "-c", "for i in range(20): open('/dev/null').close()"], 4)

    def test_the_programs_own_count(self):
        self.compare([PROGRAMS + "/syscalls", "37"], 4)
        output = trace("tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { @ = count(); }", [PROGRAMS + "/syscalls", "37"])
        self.assertEqual(number(output), 37)


class RealPrograms(unittest.TestCase):
    def test_a_function_of_bash(self):
        """bash calls its execute_command_internal at least once a command; the count doubles with the work."""
        counts = []
        for n in (10, 20):
            script = "for ((i = 0; i < %d; i++)); do :; done" % n
            counts.append(number(trace("uprobe:/bin/bash:execute_command_internal { @ = count(); }", ["/bin/bash", "--norc", "-c", script])))
        self.assertEqual(counts[1] - counts[0], 10)

    def test_python_calls_into_sorted(self):
        """Each level of examples/recurse.py goes through one call of PyList_Sort's insides or of sorted(): depths differ by the levels."""
        recurse = os.path.join(os.environ["TRC_TEST_SOURCE"], "examples", "recurse.py")
        program = "uprobe:/usr/bin/python3:PyList_Sort, uprobe:/usr/bin/python3:_PyEval_EvalFrameDefault { @[func] = count(); }"
        counts = [entries(trace(program, ["/usr/bin/python3", recurse, str(depth)]), "") for depth in (10, 30)]
        grown = {name: counts[1][name] - counts[0].get(name, 0) for name in counts[1]}
        self.assertGreaterEqual(grown["_PyEval_EvalFrameDefault"], 20, counts)

    def test_malloc_sizes_in_ls(self):
        """The sum of sizes is at least the number of calls, and every pointer that malloc gives is different from null."""
        output = trace("uprobe:libc:malloc { @calls = count(); @bytes = sum(arg0); } uretprobe:libc:malloc { @returns = count(); "
                       "if (retval == 0) { @null = count(); } }", ["/bin/ls", "/"])
        self.assertEqual(number(output, "calls"), number(output, "returns"))
        self.assertGreater(number(output, "bytes"), number(output, "calls"))
        self.assertNotIn("@null", output)

    def test_ten_million_is_too_many_to_wait_for_but_200_000_are_exact(self):
        output = trace(f"uprobe:{PROGRAMS}/threads:thread_work {{ @ = count(); @n++; @h = hist(arg0); }}", [PROGRAMS + "/threads", "4", "50000"])
        self.assertEqual(number(output), 200000)
        self.assertEqual(number(output, "n"), 200000)
        buckets = [int(count) for count in re.findall(r"^[\[(].*?[\])] +(\d+) \|", output, re.M)]
        self.assertEqual(sum(buckets), 200000)

    def test_printed_and_lost_are_all(self):
        """Lines printed plus events reported lost are the events that there were."""
        done = subprocess.run([TRC, "-e", f'uprobe:{PROGRAMS}/threads:thread_work {{ printf("x\\n"); }}', "-c", f"{PROGRAMS}/threads 4 100000"],
                              env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
        printed = done.stdout.count("x\n")
        total = re.search(r"Total lost event count: (\d+)", done.stderr)
        self.assertEqual(printed + (int(total.group(1)) if total else 0), 400000, done.stderr)


if __name__ == "__main__":
    missing = needs.missing(["root", "uprobe", "tracepoint", "command:strace"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
