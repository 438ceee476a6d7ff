#!/usr/bin/env python3
"""Runs cases of *.test files against a trc that was built: one ctest each.

    run.py --trc PATH --programs DIR FILE [NAME]     run the cases of FILE (or the one called NAME)
    run.py --list FILE                               their names
Status: 0 passed, 1 failed, 77 skipped (with a line "SKIP: reason"). tests/runtime/README.md describes the files."""
import argparse
import contextlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import case_file  # noqa: E402
import needs  # noqa: E402

SKIPPED = 77
ATTACHED = "trc-test-attached"
DEFAULT_TIMEOUT = 30.0
PATIENCE = float(os.environ.get("TRC_TEST_PATIENCE", "1"))   # how many times longer things may take: software emulation is slow


class Failure(Exception):
    pass


class Reader(threading.Thread):
    """Collects a pipe's text; tells when a given line has come."""

    def __init__(self, pipe, awaited=None):
        super().__init__(daemon=True)
        self.pipe, self.awaited = pipe, awaited
        self.seen = threading.Event()
        self.lines = []
        self.start()

    def run(self):
        for raw in self.pipe:
            line = raw.decode(errors="replace")
            if self.awaited is not None and line.rstrip("\n") == self.awaited:
                self.seen.set()
            else:
                self.lines.append(line)

    def text(self):
        self.join(10)
        return "".join(self.lines)


class Runner:
    def __init__(self, trc, programs, source):
        self.trc, self.programs, self.source = trc, programs, source

    def run(self, case):
        with tempfile.TemporaryDirectory(prefix="trc-test-") as tmp:
            os.chmod(tmp, 0o755)
            self.places = {"programs": self.programs, "tmp": tmp, "trc": self.trc, "source": self.source, "cases": str(pathlib.Path(case.path).parent)}
            self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("TRC_", "BPFTRACE_"))} | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
            self.environment["TRC_CACHE_DIR"] = os.path.join(os.path.dirname(self.programs), "compiled-scripts")   # what a case compiles, none before has to
            for _, assignment in case.all("ENV"):
                key, _, value = self.fill(assignment).partition("=")
                self.environment[key] = value
            if case.mentions("{programs}"):
                self.places["programs"] = self.own_programs(tmp)
            for _, command in case.all("SETUP"):
                self.shell(command, "SETUP")
            before = self.start_before(case)
            try:
                self.run_trc(case)
            finally:
                if before:
                    before.kill()
                    before.wait()

    def own_programs(self, tmp):
        """Copies of the programs: a probe on a file sees every process that runs it, so cases that run at once must not share theirs."""
        own = os.path.join(tmp, "programs")
        shutil.copytree(self.programs, own, symlinks=True, ignore=shutil.ignore_patterns("CMakeFiles", "*.cmake"))
        return own

    def fill(self, text):
        for key, value in self.places.items():
            text = text.replace("{" + key + "}", str(value))
        return text

    def shell(self, command, what, timeout=60):
        done = subprocess.run(["bash", "-c", self.fill(command)], env=self.environment, cwd=self.places["tmp"], capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise Failure(f"{what} failed with status {done.returncode}: {command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start_before(self, case):
        """The program that runs beside trc; it says a line when it is ready."""
        if not case.get("BEFORE"):
            return None
        process = subprocess.Popen(shlex.split(self.fill(case.get("BEFORE"))), env=self.environment, cwd=self.places["tmp"], stdout=subprocess.PIPE)
        if not process.stdout.readline():
            process.kill()
            raise Failure(f"BEFORE ended without saying a line: {case.get('BEFORE')}")
        self.places["before"] = process.pid
        return process

    def run_trc(self, case):
        timeout = float(case.get("TIMEOUT", DEFAULT_TIMEOUT)) * PATIENCE
        command = shlex.split(self.fill(case.get("WRAP", ""))) + [self.trc]
        if "PROG" in case.one:
            command += ["-e", self.fill(case.get("PROG"))]
        command += shlex.split(self.fill(case.get("ARGS", "")))
        interactive = "AFTER" in case.one or "SIGNAL" in case.one
        environment = self.environment | ({"TRC_NOTIFY_ATTACHED": ATTACHED} if interactive else {})
        stdin = subprocess.PIPE if "STDIN" in case.one else subprocess.DEVNULL
        started = time.monotonic()
        process = subprocess.Popen(command, env=environment, cwd=self.places["tmp"], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = Reader(process.stdout, ATTACHED if interactive else None), Reader(process.stderr)
        self.places["pid"] = process.pid
        if "STDIN" in case.one:
            with contextlib.suppress(BrokenPipeError):  # it need not read
                process.stdin.write(self.fill(case.get("STDIN")).encode())
                process.stdin.close()
        signalled = None
        try:
            if interactive:
                self.await_attached(process, out, err, timeout)
                if case.get("AFTER"):
                    self.shell(case.get("AFTER"), "AFTER", timeout)
                wanted = case.get("SIGNAL", "INT")
                if wanted != "none" and process.poll() is None:
                    signalled = time.monotonic()
                    process.send_signal(getattr(signal, "SIG" + wanted))
            process.wait(max(0.1, timeout - (time.monotonic() - started)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failure(f"did not end within {timeout:g} s\n" + self.outputs(out, err)) from None
        except Failure:
            process.kill()
            process.wait()
            raise
        ended = time.monotonic()
        try:
            self.check(case, process.returncode, out.text(), err.text(), ended - (signalled or started))
        except Failure as failure:
            raise Failure(f"{failure}\ncommand: {shlex.join(command)}\n" + self.outputs(out, err)) from None

    def await_attached(self, process, out, err, timeout):
        end = time.monotonic() + timeout
        while not out.seen.wait(0.01):
            if process.poll() is not None and not out.seen.wait(0.2):
                raise Failure(f"ended with status {process.returncode} before it said that its probes were attached\n" + self.outputs(out, err))
            if time.monotonic() > end:
                raise Failure(f"did not say within {timeout:g} s that its probes were attached\n" + self.outputs(out, err))

    @staticmethod
    def outputs(out, err):
        return f"--- stdout\n{out.text()}--- stderr\n{err.text()}---"

    def check(self, case, status, out, err, seconds):
        wanted = int(case.get("STATUS", "0"))
        if status != wanted:
            raise Failure(f"ended with status {status}, expected {wanted}")
        if "WITHIN" in case.one and seconds > float(case.get("WITHIN")):
            raise Failure(f"took {seconds:.2f} s, expected at most {case.get('WITHIN')} s")
        found = {}
        self.check_lines(case.all("EXPECT", "EXPECT_RE"), out, "stdout", found)
        self.check_lines(case.all("ERROR", "ERROR_RE"), err, "stderr", found)
        lines = out.splitlines()
        for _, line in case.all("ANY"):
            if self.fill(line) not in lines:
                raise Failure(f"stdout has no line '{self.fill(line)}' (ANY)")
        for key, text in (("EXPECT_NONE", out), ("ERROR_NONE", err)):
            for _, pattern in case.all(key):
                hit = re.search(self.fill(pattern), text, re.M)
                if hit:
                    raise Failure(f"'{hit.group(0)}' is there, but {key} {pattern}")
        if "EXACT" in case.one and out.strip("\n") != self.fill(case.get("EXACT")).strip("\n"):
            raise Failure(f"stdout is not exactly\n{self.fill(case.get('EXACT'))}")
        values = {key: int(value) if re.fullmatch(r"-?\d+", value or "") else value for key, value in found.items()}
        for _, expression in case.all("CHECK"):
            if not eval(self.fill(expression), {}, values | {"seconds": seconds}):  # our own files
                raise Failure(f"CHECK {expression} does not hold for {values}")

    def check_lines(self, expectations, text, where, found):
        """Each expected line stands there, in the order given; named groups of patterns go to `found`."""
        lines = text.splitlines()
        at = 0
        for key, expected in expectations:
            for one in self.fill(expected).split("\n"):
                while True:
                    if at >= len(lines):
                        raise Failure(f"{where} has no line '{one}' ({key})" + (" after those before" if expectations[0] != (key, expected) else ""))
                    line = lines[at]
                    at += 1
                    if key.endswith("_RE"):
                        match = re.search(one, line)
                        if match:
                            found.update(match.groupdict())
                            break
                    elif line.rstrip() == one.rstrip():
                        break


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trc")
    parser.add_argument("--programs")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("file")
    parser.add_argument("name", nargs="?")
    options = parser.parse_args()
    try:
        cases = case_file.read_cases(options.file)
    except case_file.CaseError as error:
        sys.exit(str(error))
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    cases = [case for case in cases if options.name in (None, case.name)]
    if not cases:
        sys.exit(f"{options.file}: no case is called '{options.name}'")
    runner = Runner(os.path.abspath(options.trc), os.path.abspath(options.programs), str(pathlib.Path(__file__).resolve().parents[2]))
    failed = skipped = 0
    for case in cases:
        reason = needs.missing(case.get("NEEDS", "bpf").split())
        if reason:
            skipped += 1
            print(f"SKIP: {reason}" if options.name else f"skip  {case.name}: {reason}")
            continue
        try:
            runner.run(case)
            print(f"ok    {case.name}")
        except Failure as failure:
            failed += 1
            print(f"FAIL  {case.name} ({case.path}:{case.line})\n{failure}")
    return 1 if failed else SKIPPED if skipped == len(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
