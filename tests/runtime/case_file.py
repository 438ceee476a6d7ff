"""Reads *.test files: cases of KEY text blocks, parted by NAME lines. tests/runtime/README.md says what each key means."""
import dataclasses
import re

ONE = {"NAME", "PROG", "ARGS", "AFTER", "BEFORE", "STATUS", "NEEDS", "TIMEOUT", "WITHIN", "WRAP", "SIGNAL", "EXACT", "STDIN", "COVERS"}
MANY = {"SETUP", "ENV", "CHECK", "EXPECT", "EXPECT_RE", "EXPECT_NONE", "ERROR", "ERROR_RE", "ERROR_NONE", "ANY"}
VERBATIM = {"EXPECT", "ERROR", "ANY"}  # blanks at the start of a line count there
KEY = re.compile(r"([A-Z_]+)(?: (.*))?$")


@dataclasses.dataclass
class Case:
    path: str
    line: int
    one: dict
    many: list  # (key, text), in order

    @property
    def name(self):
        return self.one["NAME"]

    def get(self, key, default=None):
        return self.one.get(key, default)

    def all(self, *keys):
        return [(key, text) for key, text in self.many if key in keys]

    def mentions(self, word):
        return any(word in text for text in (*self.one.values(), *(text for _, text in self.many)))


class CaseError(Exception):
    pass


def read_cases(path):
    """All cases of a file. A mistake in the file is an error that names the line."""
    cases, last = [], None  # last: (store, index) that an indented line continues
    with open(path) as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if last and last[2] == "EXACT":
                continuation(last, "")
            continue
        if line[0] in " \t":
            if not last:
                raise CaseError(f"{path}:{number}: an indented line continues nothing")
            continuation(last, line)
            continue
        match = KEY.match(line)
        key, text = (match.group(1), match.group(2) or "") if match else (None, "")
        if key not in VERBATIM:
            text = text.strip()
        if key == "NAME":
            cases.append(Case(str(path), number, {}, []))
        if key not in ONE | MANY:
            raise CaseError(f"{path}:{number}: '{line.split()[0]}' is not a key")
        if not cases:
            raise CaseError(f"{path}:{number}: the first key of a case is NAME")
        case = cases[-1]
        if key in ONE:
            if key in case.one:
                raise CaseError(f"{path}:{number}: {key} given twice")
            case.one[key] = text
            last = (case.one, key, key)
        else:
            case.many.append((key, text))
            last = (case.many, len(case.many) - 1, key)
    names = [case.name for case in cases]
    for name in names:
        if names.count(name) > 1:
            raise CaseError(f"{path}: two cases are called '{name}'")
    for case in cases:
        if not case.all("EXPECT", "EXPECT_RE", "EXPECT_NONE", "ERROR", "ERROR_RE", "ANY") and "EXACT" not in case.one and case.get("STATUS", "0") == "0":
            raise CaseError(f"{path}:{case.line}: the case '{case.name}' expects nothing, so it cannot fail")
    return cases


def continuation(last, line):
    store, where, key = last
    if key == "EXACT":
        line = line[2:] if line.startswith("  ") else line.lstrip()  # two blanks are the block's own indentation
    else:
        line = line.strip()
    old = store[where]
    if isinstance(old, tuple):
        store[where] = (old[0], old[1] + "\n" + line)
    else:
        store[where] = old + "\n" + line if old else line
