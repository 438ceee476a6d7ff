"""docs/coverage.md: every builtin, probe type, configuration variable, option, output format and diagnostic, with the test that proves it.

Which test that is: a test that claims the row (`COVERS kind name`, as a key of a run-time case or in a comment of any other test); otherwise
the run-time case whose script uses it and that expects output of a run that ends well, those named after it first, then the shortest; for a
builtin its own example, if it says what it prints (tests/runtime/examples_test.py runs them); for a diagnostic its folder in tests/check. What
is only refused, or has no output, is proved by a case that expects that."""
import re
import shlex
import sys

KINDS = ["builtin", "probe", "config", "option", "format", "diagnostic"]
CLAIM = re.compile(r"COVERS:? +(%s) +([^\n*]+)" % "|".join(KINDS))


def without_strings(script):
    return re.sub(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', '""', script, flags=re.S)


class Tests:
    def __init__(self, root):
        sys.path.insert(0, str(root / "tests" / "runtime"))
        import case_file
        self.cases = []   # (name, script, code, words, environment)
        self.showing = set()   # names of cases that end well and expect something on standard output
        self.claims = {}  # (kind, name): test
        for path in sorted((root / "tests/runtime/cases").glob("*.test")):
            for case in case_file.read_cases(path):
                name = f"run/{path.stem}: {case.name}"
                environment = [text.split("=")[0] for _, text in case.all("ENV")]
                words = shlex.split(case.get("ARGS", ""))
                script = case.get("PROG", "")
                self.cases.append((name, script, without_strings(script), words, environment))
                if case.get("STATUS", "0") == "0" and (case.get("EXACT") or case.all("EXPECT", "EXPECT_RE", "ANY", "CHECK")):
                    self.showing.add(name)
                for claim in case.get("COVERS", "").split("\n"):
                    self.claim(claim, name)
        for path in sorted([*(root / "tests").rglob("*_test.py"), *(root / "tests").rglob("*_test.cc")]):
            for kind, names in CLAIM.findall(path.read_text()):
                self.claim(f"{kind} {names}", str(path.relative_to(root)))
        self.checks = {path.name: f"tests/check/{path.name}" for path in sorted((root / "tests/check").iterdir()) if any(path.iterdir())}

    def claim(self, text, test):
        kind, _, names = text.strip().partition(" ")
        if kind and kind not in KINDS:
            raise SystemExit(f"{test}: COVERS {kind}: the kinds are {', '.join(KINDS)}")
        for name in names.replace(",", " ").split():
            self.claims.setdefault((kind, name), test)

    def best(self, word, uses, showing=None):
        """The case that shows the thing best among those that use it; `showing`: among these alone."""
        found = [case for case in self.cases if uses(*case[1:]) and (showing is None or (case[0] in self.showing) == showing)]
        if showing is None and any(case[0] in self.showing for case in found):
            found = [case for case in found if case[0] in self.showing]
        named = re.compile(r"(?<![\w-])" + re.escape(word.lstrip("-")) + r"(?!\w)")
        found.sort(key=lambda case: (not named.search(case[0].split(": ", 1)[1]), len(case[1]), case[0]))
        return found[0][0] if found else None


def builtin_test(tests, row):
    name = row["name"]
    form = r"\s*\(" if row["form"] != "value" else r"\b"
    pattern = re.escape(name[:-1]) + r"\d" if name in ("argN", "sargN") else re.escape(name)
    use = re.compile(r"(?<![\w$@.>])" + pattern + form)
    uses = lambda script, code, words, environment: use.search(code)
    return tests.best(name, uses, True) or (f"run/examples_test: {name}" if row["prints"] else tests.best(name, uses))


def probe_test(tests, row):
    use = re.compile(r"(?:^|[\s,}>=])(?:%s)(?=[:\s{<,])" % "|".join(map(re.escape, [row["name"], *row["aliases"]])))
    return tests.best(row["name"], lambda script, code, words, environment: use.search(code))


def config_test(tests, row):
    key = row["name"]
    use = re.compile(r"\bconfig\s*=\s*\{[^}]*\b(?:\w+_)?" + key + r"\s*=", re.I)
    names = {prefix + key.upper() for prefix in ("TRC_", "BPFTRACE_")}
    return tests.best(key, lambda script, code, words, environment: use.search(script) or names & set(environment))


def option_test(tests, row):
    def uses(script, code, words, environment):
        for word in words:
            for name in row["names"]:
                if word == name or word.startswith(name + "=") or (len(name) == 2 and word.startswith(name) and word[1] != "-"):
                    return True
        return "-e" in row["names"] and script != ""
    return tests.best(row["names"][-1], uses)


def format_test(tests, row):
    name = row["name"]
    return tests.best(name, lambda script, code, words, environment:
                      f"-f {name}" in " ".join(words) or f"-f{name}" in words or (name == "text" and script != "" and not words))


def diagnostic_test(tests, row):
    return tests.checks.get(row["name"])


SECTIONS = [  # kind, table, heading, the test that is found
    ("builtin", "builtins", "Functions and values", builtin_test),
    ("probe", "probes", "Probe types", probe_test),
    ("config", "config", "Configuration variables", config_test),
    ("option", "options", "Options", option_test),
    ("format", "formats", "Output formats", format_test),
    ("diagnostic", "diagnostics", "Diagnostics", diagnostic_test),
]


def names_of(row):
    return row["names"] if "names" in row else [row["name"]]


def rows(tables, root):
    """(kind, row, test or None), one for each name that works; overloads count once."""
    tests = Tests(root)
    for kind, table, _, find in SECTIONS:
        seen = set()
        for row in tables[table]:
            name = " ".join(names_of(row))
            if row.get("missing") or name in seen:
                continue
            seen.add(name)
            claimed = [tests.claims[(kind, n)] for n in names_of(row) if (kind, n) in tests.claims]
            yield kind, row, (claimed or [find(tests, row)])[0]
    known = {(kind, name) for kind, table, _, _ in SECTIONS for row in tables[table] for name in names_of(row)}
    for claim, test in tests.claims.items():
        if claim not in known:
            raise SystemExit(f"{test}: COVERS {' '.join(claim)}: there is no such row")


def without_test(tables, root):
    return [f"{kind} {' '.join(names_of(row))}" for kind, row, test in rows(tables, root) if test is None]


def page(tables, root):
    out = ["# Coverage", "",
           "Written by `scripts/generate` from the tables of the sources and from the tests; a test fails when this page is out of date or a row has no",
           "test. `run/FILE: NAME` is a case of tests/runtime/cases/FILE.test.", ""]
    found = {}
    for kind, row, test in rows(tables, root):
        found.setdefault(kind, []).append((row, test))
    for kind, table, heading, _ in SECTIONS:
        out += [f"## {heading}", "", "| what | says | test |", "| --- | --- | --- |"]
        for row, test in found.get(kind, []):
            doc = row.get("doc") or row.get("severity", "")
            what = ", ".join(f"`{name}`" for name in names_of(row))
            out.append(f"| {what} | {doc.replace('|', chr(92) + '|')} | {(test or '**none**').replace('|', chr(92) + '|')} |")
        missing = sorted({" ".join(names_of(row)) for row in tables[table] if row.get("missing")} - {" ".join(names_of(row)) for row, _ in found.get(kind, [])})
        if missing:
            out += ["", "Refused by name until they are built: " + ", ".join(f"`{name}`" for name in missing) + "."]
        out.append("")
    return "\n".join(out)
