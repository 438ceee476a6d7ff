#!/usr/bin/env python3
"""What trc prints as JSON is as docs/output-*.schema.json say. The validator knows the part of JSON Schema that they use, and refuses the rest."""
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

TRC = os.environ["TRC"]
ROOT = pathlib.Path(os.environ["TRC_TEST_SOURCE"])
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KNOWN = {"$schema", "title", "description", "$defs", "$ref", "type", "const", "enum", "anyOf", "oneOf", "properties", "required", "additionalProperties",
         "items", "minimum", "pattern", "minProperties", "maxProperties"}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def problems(value, schema, root, where="line"):
    """What is wrong with the value, as texts."""
    unknown = set(schema) - KNOWN
    if unknown:
        raise ValueError(f"the validator does not know {unknown}")
    if "$ref" in schema:
        return problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "const" in schema and value != schema["const"]:
        return [f"{where}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    if "type" in schema and not is_type(value, schema["type"]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    if "minimum" in schema and value < schema["minimum"]:
        return [f"{where}: {value} is too small"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{where}: {value!r} does not match {schema['pattern']}"]
    found = []
    for key, wanted in (("anyOf", lambda n: n > 0), ("oneOf", lambda n: n == 1)):
        if key in schema:
            each = [problems(value, option, root, where) for option in schema[key]]
            if not wanted(sum(not p for p in each)):
                found.append(f"{where}: {json.dumps(value)[:300]} is {sum(not p for p in each)} of {key}")
    if isinstance(value, dict):
        if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 1 << 30):
            found.append(f"{where}: has {len(value)} members")
        found += [f"{where}: lacks {name}" for name in schema.get("required", []) if name not in value]
        for name, member in value.items():
            of = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
            if of is False:
                found.append(f"{where}: has {name}")
            elif of is not True:
                found += problems(member, of, root, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            found += problems(item, schema["items"], root, f"{where}[{i}]")
    return found


SCRIPTS = [
    'begin { @a = 1; @b["a b", 1] = 2; @c[(1, (2, "x"))] = (1, "y"); @s = "text"; @h = hist(5); @k["x"] = hist(-1); @l = lhist(3, 0, 10, 5);'
    ' @v = avg(3); @w["q"] = avg(5); @t = stats(4); @u[1] = stats(6); @m = min(2); @big = 18446744073709551615; exit(); }',
    'begin { print(1); print(-1); print("s"); print((1, "two", (3, true))); print((a=1, b="x")); printf("%d %s\\n", 5, "\\xff\\x01"); time("%Y\\n"); exit(); }',
    'begin { print(18446744073709551615); print(9007199254740993); print((int8 *)0x7f00); exit(); }',
    'begin { let $z: int64 = 0; print(5 / $z); @m[1] = 1; delete(@m, 2); print(@m); clear(@m); exit(); }',
    "let @small = hash(1); begin { @small[1] = 1; @small[2] = 2; exit(); }",
    "begin { print(kstack); print(ustack); @[kstack] = count(); exit(); }",
]


class Schema(unittest.TestCase):
    def check(self, form, version):
        schema = json.loads((ROOT / f"docs/output-{form}.schema.json").read_text())
        seen = set()
        for script in SCRIPTS:
            done = subprocess.run([TRC, "-k", "-f", form, "-e", script], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, done.stderr)
            for line in done.stdout.decode().splitlines():   # strict: always UTF-8
                value = json.loads(line)
                self.assertEqual(problems(value, schema, schema), [], line)
                self.assertEqual(value.get("version", 1), version)
                seen.add(value["type"])
        self.assertLessEqual({"attached_probes", "map", "hist", "stats", "value", "printf", "time", "helper_error", "runtime_error"}, seen)

    def test_json(self):
        self.check("json", 1)

    def test_jsonl(self):
        self.check("jsonl", 2)

    def test_the_validator_finds_what_is_wrong(self):
        schema = json.loads((ROOT / "docs/output-jsonl.schema.json").read_text())
        good = {"type": "value", "version": 2, "data": [1, "x"]}
        self.assertEqual(problems(good, schema, schema), [])
        for bad in [{"type": "value", "version": 1, "data": 1}, {"type": "value", "version": 2}, {"type": "other", "version": 2, "data": 1},
                    {"type": "printf", "version": 2, "data": 1}, {"type": "map", "version": 2, "data": {}}, {"type": "value", "version": 2, "data": 1, "x": 1},
                    {"type": "value", "version": 2, "data": 1.5}]:
            self.assertNotEqual(problems(bad, schema, schema), [], bad)


if __name__ == "__main__":
    missing = needs.missing(["root", "bpf"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
