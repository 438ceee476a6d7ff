"""What compiles also loads: every line of scripts/*.txt is a script that trc compiles, loads and attaches (--dry-run).

    scripts_test.py --trc PATH --programs DIR FILE
Status: 0 passed, 1 failed, 77 skipped (with a line "SKIP: reason")."""
import argparse
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "runtime"))
import needs  # noqa: E402

TIMEOUT = 60 * float(os.environ.get("TRC_TEST_PATIENCE", "1"))   # seconds for a script; see runtime/run.py

# What a probe of a script asks of the machine; begin, end, interval and profile do with what `bpf` means.
NEEDED = {"uprobe:": "uprobe", "uretprobe:": "uprobe", "tracepoint:": "tracepoint", "rawtracepoint:": "rawtracepoint"}


def missing(script):
    wanted = ["bpf"] + [NEEDED[probe] for probe in re.findall(r"\b(?:uprobe|uretprobe|tracepoint|rawtracepoint):", script)]
    return needs.missing(wanted)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trc", required=True)
    parser.add_argument("--programs", required=True)
    parser.add_argument("file", type=pathlib.Path)
    options = parser.parse_args()
    failed, run, skipped = 0, 0, set()
    for number, line in enumerate(options.file.read_text().splitlines(), 1):
        script = line.replace("{program}", f"{options.programs}/work")
        if why := missing(script):
            skipped.add(why)
            continue
        run += 1
        done = subprocess.run([options.trc, "--dry-run", "-e", script], capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            failed += 1
            print(f"{options.file}:{number}: status {done.returncode}\n{done.stdout}{done.stderr}")
    for why in sorted(skipped):
        print(f"SKIP: {why}")
    if run == 0:
        return 77 if skipped else 1  # a list without scripts proves nothing
    print(f"{run} scripts, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
