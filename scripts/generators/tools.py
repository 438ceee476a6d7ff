"""A manual page of section 8 for each script in tools/: of its first comment, its named parameters and tools/examples/NAME.txt."""
import re

from .man import escape, example

PARAMETER = re.compile(r'getopt\("([\w-]+)", ([^,()]+), "([^"]+)"\)')


def scripts(root):
    return sorted((root / "tools").glob("*.trc"))


def comment(script):
    """The line "name - summary" and the paragraphs below it."""
    text = re.search(r"/\*(.*?)\*/", script.read_text(), re.S).group(1)
    first, *paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    name, summary = first.split(" - ", 1)
    if name != script.stem:
        raise ValueError(f"{script}: its first comment begins with '{name}'")
    return summary, paragraphs


def parameters(script):
    return sorted(set(PARAMETER.findall(script.read_text())))


def page(script, version):
    summary, paragraphs = comment(script)
    name = script.stem
    out = [f'.TH {name.upper()}.TRC 8 "2026" "trc {version}" "Tracing tools"', ".SH NAME", f"{name}.trc \\- {escape(summary)}",
           ".SH SYNOPSIS", f".B {name}.trc"]
    found = parameters(script)
    if found:
        out.append("[\\fB\\-\\-\\fR \\fIOPTIONS\\fR]")
    out.append(".SH DESCRIPTION")
    for paragraph in paragraphs or [summary]:
        out += [".PP", escape(paragraph)]
    out += [".PP", "It runs until Ctrl\\-C, or until the end of the command of", ".BR trc \"'s \\-c.\""]
    if found:
        out += [".SH OPTIONS", "They come behind", ".BR \\-\\- ."]
        for option, fallback, description in found:
            value = "" if fallback in ("true", "false") else "=TEXT" if fallback.startswith('"') else "=NUMBER"
            out += [".TP", f".B \\-\\-{escape(option)}{value}", escape(f"{description} (default {fallback})")]
    out.append(".SH EXAMPLE")
    example(out, (script.parent / "examples" / f"{name}.txt").read_text().rstrip("\n"))
    out += [".SH SEE ALSO", ".BR trc (1),", ".BR trc\\-language (7)"]
    return "\n".join(out) + "\n"
