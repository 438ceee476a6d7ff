#!/usr/bin/env python3
"""Checks that each folder of src/ includes only what docs/architecture.md allows it.

    check_layers.py [PROJECT]

The table there ("folder | what it is | may include") is the rule for our own headers; FENCES below is the rule for third-party ones,
as that page's sentence under the table has it. Names every offending line; status 1 if there is any."""
import pathlib
import re
import sys

# Header pattern -> the places that may include it: a folder, or a file. The first pattern that matches a header counts.
FENCES = [
    (r"llvm/Demangle/.*", ["codegen", "symbols/demangle"]),
    (r"llvm[-/].*", ["codegen"]),
    (r"bpf/.*", ["kernel"]),
    (r"(libelf|gelf|dwarf|elfutils/.*)\.h", ["symbols/libdw", "symbols/debug_info", "symbols/debug_types"]),
    (r"lzma\.h", ["symbols/xz"]),
    (r"zlib\.h", ["symbols/zlib"]),
    (r"cereal/.*", ["image", "lang"]),
    (r"CLI/.*", ["cli"]),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_table(page):
    """folder -> set of folders it may include, or None for 'anything'."""
    allowed = {}
    in_table = False
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells[:1] == ["folder"]:
            in_table = True
        elif in_table and not cells:
            break
        elif in_table and len(cells) == 3 and not set(cells[0]) <= set("- "):
            names = {name.strip() for name in cells[2].split(",")}
            if cells[2] == "anything":
                allowed[cells[0]] = None
            elif cells[2].startswith("nothing of ours"):
                allowed[cells[0]] = set()
            else:
                allowed[cells[0]] = names
    return allowed


def folder_of(path, folders):
    """The most specific folder of the table that holds `path` ('ast/passes' before 'ast'), or None."""
    holders = [folder for folder in folders if path.startswith(folder + "/")]
    return max(holders, key=len) if holders else None


def check_file(source, relative, allowed):
    """Complaints about one file, as text."""
    folder = folder_of(relative, allowed)
    if folder is None and "/" in relative:
        yield f"src/{relative}:1: the folder is not in the table of docs/architecture.md"
        return
    for number, line in enumerate(source.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        place = f"src/{relative}:{number}"
        header = match.group(2)
        homes = next((homes for pattern, homes in FENCES if re.fullmatch(pattern, header)), None)
        if homes and not any(relative.startswith((home + "/", home + ".")) for home in homes):
            yield f"{place}: {header} belongs to {' and '.join(homes)} only"
        if match.group(1) == "<" or "/" not in header:
            continue
        target = folder_of(header, allowed)
        if folder is None or target is None or target == folder or allowed[folder] is None:
            continue
        if target not in allowed[folder]:
            may = ", ".join(sorted(allowed[folder])) or "nothing of ours"
            yield f"{place}: {folder} may not include {target} ({header}); it may include {may}"


def main(arguments):
    project = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parent.parent)
    page = project / "docs" / "architecture.md"
    allowed = read_table(page)
    if not allowed:
        print(f"{page}: no table with a column 'folder' found")
        return 1
    unknown = sorted({name for names in allowed.values() for name in names or ()} - set(allowed))
    complaints = [f"{page}: '{name}' is allowed to a folder but has no row" for name in unknown]
    files = 0
    for source in sorted((project / "src").rglob("*")):
        if source.suffix in {".h", ".cc", ".c", ".def", ".l", ".yy"}:
            files += 1
            complaints += check_file(source, source.relative_to(project / "src").as_posix(), allowed)
    print("\n".join(complaints) if complaints else f"{files} files keep to the layers")
    return 1 if complaints or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
