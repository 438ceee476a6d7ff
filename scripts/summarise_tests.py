#!/usr/bin/env python3
"""Adds up ctest's JUnit reports: names what failed, groups what was skipped by reason, ends with 'N passed, N failed, N skipped'.

Status 1 when a test failed or a report is missing or empty."""
import re
import sys
import xml.etree.ElementTree as ElementTree


def skip_reason(case):
    """What the test itself said ('SKIP: reason', or GoogleTest's message), else what ctest says."""
    output = case.findtext("system-out") or ""
    said = re.search(r"^SKIP: (.+)$", output, re.M) or re.search(r"Skipped\n(.+)", output)
    if said:
        return said.group(1).strip()
    skipped = case.find("skipped")
    return (skipped.get("message") if skipped is not None else None) or "no reason given"


def main(paths):
    passed, failed, skipped, bad_reports = 0, [], {}, []
    for path in paths:
        try:
            cases = list(ElementTree.parse(path).getroot().iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            bad_reports.append(f"{path}: {error}")
            continue
        if not cases:
            bad_reports.append(f"{path}: no tests ran")
        for case in cases:
            status = case.get("status")
            if status == "run":
                passed += 1
            elif status in ("notrun", "disabled"):
                skipped.setdefault(skip_reason(case), []).append(case.get("name"))
            else:
                failed.append(case.get("name"))
    for reason, names in sorted(skipped.items()):
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        print(f"skipped {len(names)}: {reason} ({shown})")
    for name in failed:
        print(f"failed: {name}")
    for line in bad_reports:
        print(f"no result: {line}")
    total_skipped = sum(len(names) for names in skipped.values())
    print(f"{passed} passed, {len(failed)} failed, {total_skipped} skipped")
    return 1 if failed or bad_reports else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
