"""Manual pages of section 7 that are tables: builtins, probe types, diagnostics."""
import re


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def header(name, title, tables):
    return [f'.TH {name.upper()} 7 "2026" "trc {tables["version"]}" "Miscellaneous"', ".SH NAME", f"{escape(name)} \\- {title}"]


def example(lines, script, heading=None):
    if heading:
        lines.append(heading)
    lines += [".EX", *(f"    {escape(line)}" for line in script.split("\n")), ".EE"]


def signature(row):
    if row["form"] == "value" and not row["parameters"]:
        return row["name"]
    text, closers = "", ""
    for parameter in row["parameters"]:
        part = ("" if not text else ", ") + parameter["name"] + (" ..." if parameter["repeated"] else "")
        if parameter["optional"]:
            text += "[" + part
            closers += "]"
        else:
            text += part
    return f"{row['name']}({text}{closers})"


FORMS = [("value", "VALUES", "Bare words; those with parameters also without parentheses."),
         ("function", "FUNCTIONS", "Called with parentheses."),
         ("aggregate", "AGGREGATES", "Assigned to a map, as the whole right\\-hand side.")]


def builtins(tables):
    out = header("trc-builtins", "values and functions of trc's language", tables)
    out += [".SH DESCRIPTION", "What a script can ask and do. See", ".BR trc\\-language (7)", "for the language itself."]
    for form, heading, about in FORMS:
        out += [f".SH {heading}", about]
        for row in sorted((r for r in tables["builtins"] if r["form"] == form and not r["missing"]), key=lambda r: r["name"]):
            result = f": {row['result']}" if row["result"] else ""
            out += [".TP", f"\\fB{escape(signature(row))}\\fR{escape(result)}", escape(row["doc"])]
            if row["example"]:
                example(out, row["example"])
            if row["prints"]:
                example(out, row["prints"], "prints")
    missing = sorted({r["name"] for r in tables["builtins"] if r["missing"]} - {r["name"] for r in tables["builtins"] if not r["missing"]})
    if missing:
        out += [".SH NOT YET", "Refused by name in this version: " + escape(", ".join(missing)) + "."]
    out += [".SH SEE ALSO", ".BR trc (1),", ".BR trc\\-language (7),", ".BR trc\\-probes (7)"]
    return "\n".join(out) + "\n"


def probes(tables):
    out = header("trc-probes", "what trc can attach to", tables)
    out += [".SH DESCRIPTION",
            "A block of a script begins with one or more attach points, with commas between them: a probe type and its parts, with colons between them.",
            "Parts that hold a colon stand in double quotes.", ".B *", "stands for any characters.", ".B trc \\-l", "lists what there is."]
    for row in tables["probes"]:
        also = f" (also {', '.join(row['aliases'])})" if row["aliases"] else ""
        doc = row["doc"][:1].upper() + row["doc"][1:]
        out += [f".SS {escape(row['name'])}{escape(also)}", escape(doc) + "."]
        example(out, row["example"] + " { }")
    out += [".SH SEE ALSO", ".BR trc (1),", ".BR trc\\-builtins (7)"]
    return "\n".join(out) + "\n"


def diagnostics(tables):
    out = header("trc-diagnostics", "what trc says of a script, and what to do", tables)
    out += [".SH DESCRIPTION", "Each diagnostic has a code, which", ".B \\-\\-diagnostics=json", "shows and", ".B trc explain", "takes."]
    for row in tables["diagnostics"]:
        out += [f".SS {escape(row['name'])} ({row['severity']})", escape(row["doc"]), ".PP"]
        example(out, row["fails"], "This gets it:")
        example(out, row["mended"], ".PP\nThis does not:")
    out += [".SH SEE ALSO", ".BR trc (1)"]
    return "\n".join(out) + "\n"
