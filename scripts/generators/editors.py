"""Completions for shells and syntax files for editors, from the tables."""
import json
import re

STAGES = "tokens ast typed codegen codegen-opt asm image all"


def choices(tables):
    """Words that an option's value can be, by the option's names."""
    return {"-f": " ".join(row["name"] for row in tables["formats"]), "-B": "line full none", "-d": STAGES, "--mode": "codegen compiler-bench",
            "--diagnostics": "text json"}


def options(tables):
    return [row for row in tables["options"] if row["group"] != "Accepted"]


def of_option(row, table):
    return next((table[name] for name in row["names"] if name in table), None)


def bash(tables):
    words = " ".join(name for row in options(tables) for name in row["names"])
    cases = []
    for row in options(tables):
        if not row["value"]:
            continue
        names = "|".join(row["names"])
        values = of_option(row, choices(tables))
        if values:
            cases.append(f'    {names}) COMPREPLY=($(compgen -W "{values}" -- "$cur")); return ;;')
        elif row["value"] == "PID":
            cases.append(f'    {names}) COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$cur")); return ;;')
        elif row["value"] in ("PROGRAM", "REGEX"):
            cases.append(f"    {names}) return ;;")
        elif row["value"] == "COMMAND":
            cases.append(f'    {names}) COMPREPLY=($(compgen -c -- "$cur")); return ;;')
    return f"""# bash completion for trc, made by scripts/generate
_trc() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  case $prev in
{chr(10).join(cases)}
    explain) COMPREPLY=($(compgen -W "{' '.join(row['name'] for row in tables['diagnostics'])}" -- "$cur")); return ;;
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "{words}" -- "$cur"))
  else
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}}
complete -o filenames -F _trc trc
"""


def zsh(tables):
    def text(word):
        return re.sub(r"([\[\]:\\])", r"\\\1", word).replace("'", "'\\''")
    lines = []
    for row in options(tables):
        values = of_option(row, choices(tables))
        action = ""
        if row["value"]:
            kind = {"PID": "_pids", "COMMAND": "_command_names -e", "PROGRAM": " ", "REGEX": " "}.get(row["value"], f"({values})" if values else "_files")
            action = f":{text(row['value'].lower())}:{kind}"
        alone = f"({' '.join(row['names'])})" if len(row["names"]) > 1 else ""
        for name in row["names"]:
            lines.append(f"  '{alone}{name}{'=' if row['value'] and name.startswith('--') else ''}[{text(row['doc'])}]{action}'")
    return "#compdef trc\n# made by scripts/generate\n_arguments -s \\\n" + " \\\n".join(lines) + " \\\n  '*:script:_files'\n"


def fish(tables):
    lines = ["# fish completion for trc, made by scripts/generate"]
    for row in options(tables):
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in row["names"])
        doc = row["doc"].replace("\\", "\\\\").replace("'", "\\'")
        values = of_option(row, choices(tables))
        more = "" if not row["value"] else f" -x -a '{values}'" if values else " -x" if row["value"] in ("PROGRAM", "REGEX", "PID") else " -r"
        if row["value"] == "PID":
            more += " -a '(__fish_complete_pids)'"
        lines.append(f"complete -c trc {names}{more} -d '{doc}'")
    codes = " ".join(row["name"] for row in tables["diagnostics"])
    lines.append(f"complete -c trc -n '__fish_seen_subcommand_from explain' -f -a '{codes}'")
    return "\n".join(lines) + "\n"


def words_of(tables):
    return {
        "keyword": sorted(tables["keywords"]),
        "type": sorted(tables["types"]),
        "function": sorted({row["name"] for row in tables["builtins"] if row["form"] != "value"}),
        "value": sorted({row["name"] for row in tables["builtins"] if row["form"] == "value"}),
        "probe": sorted({name for row in tables["probes"] for name in [row["name"], *row["aliases"]] if len(name) > 1}),
    }


def vim(tables):
    words = words_of(tables)
    either = {kind: "\\|".join(words[kind]) for kind in words}
    return f"""" Vim syntax of trc scripts, made by scripts/generate
if exists("b:current_syntax")
  finish
endif
syn keyword trcTodo contained TODO FIXME
syn match trcComment "//.*$" contains=trcTodo
syn region trcComment start="/\\*" end="\\*/" contains=trcTodo
syn match trcShebang "\\%^#!.*$"
syn match trcInclude "^\\s*#\\(include\\|define\\)\\>.*$"
syn region trcString start=+"+ skip=+\\\\\\\\\\|\\\\"+ end=+"+ contains=trcEscape,trcFormat
syn match trcEscape contained "\\\\."
syn match trcFormat contained "%[-+ #0]*[0-9*]*\\(\\.[0-9*]\\+\\)\\?[hlLjzt]*[diouxXcsprh%]"
syn match trcNumber "\\<[0-9][0-9A-Za-z_]*\\>"
syn match trcVariable "\\$[A-Za-z_#0-9][A-Za-z0-9_]*"
syn match trcMap "@[A-Za-z_]*[A-Za-z0-9_]*"
syn match trcProbe "\\<\\({either['probe']}\\)\\>\\ze\\(:\\|\\s*[{{<,/]\\)"
syn keyword trcKeyword {' '.join(words['keyword'])}
syn keyword trcType {' '.join(words['type'])}
syn match trcFunction "\\<\\({either['function']}\\)\\>\\ze\\s*("
syn keyword trcValue {' '.join(words['value'])}
hi def link trcTodo Todo
hi def link trcComment Comment
hi def link trcShebang PreProc
hi def link trcInclude PreProc
hi def link trcString String
hi def link trcEscape SpecialChar
hi def link trcFormat SpecialChar
hi def link trcNumber Number
hi def link trcVariable Identifier
hi def link trcMap Identifier
hi def link trcProbe Label
hi def link trcKeyword Keyword
hi def link trcType Type
hi def link trcFunction Function
hi def link trcValue Constant
let b:current_syntax = "trc"
"""


def vim_filetype(tables):
    return ('" made by scripts/generate\nau BufRead,BufNewFile *.trc,*.bt setfiletype trc\n'
            'au BufRead * if getline(1) =~# \'^#!.*\\<\\(trc\\|bpftrace\\)\\>\' | setfiletype trc | endif\n')


def textmate(tables):
    words = words_of(tables)

    def any_of(kind, after=""):
        return r"\b(?:" + "|".join(words[kind]) + r")\b" + after
    grammar = {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "trc", "scopeName": "source.trc", "fileTypes": ["trc", "bt"], "firstLineMatch": r"^#!.*\b(?:trc|bpftrace)\b",
        "patterns": [
            {"name": "comment.line.shebang.trc", "match": r"\A#!.*$"},
            {"name": "comment.line.double-slash.trc", "match": "//.*$"},
            {"name": "comment.block.trc", "begin": r"/\*", "end": r"\*/"},
            {"name": "meta.preprocessor.trc", "match": r"^\s*#\s*(?:include|define)\b.*$"},
            {"name": "string.quoted.double.trc", "begin": '"', "end": '"', "patterns": [
                {"name": "constant.character.escape.trc", "match": r"\\."},
                {"name": "constant.other.placeholder.trc", "match": r"%[-+ #0]*[0-9*]*(?:\.[0-9*]+)?[hlLjzt]*[diouxXcsprh%]"}]},
            {"name": "entity.name.section.probe.trc", "match": any_of("probe", r"(?=:|\s*[{<,/])")},
            {"name": "keyword.control.trc", "match": any_of("keyword")},
            {"name": "storage.type.trc", "match": any_of("type")},
            {"name": "support.function.trc", "match": any_of("function", r"(?=\s*\()")},
            {"name": "support.constant.trc", "match": any_of("value")},
            {"name": "variable.other.trc", "match": r"\$[A-Za-z_#0-9][A-Za-z0-9_]*"},
            {"name": "variable.other.map.trc", "match": r"@(?:[A-Za-z_][A-Za-z0-9_]*)?"},
            {"name": "constant.numeric.trc", "match": r"\b[0-9][0-9A-Za-z_]*\b"},
        ],
    }
    return json.dumps(grammar, indent=2) + "\n"
