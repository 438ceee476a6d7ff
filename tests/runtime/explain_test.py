#!/usr/bin/env python3
"""The examples of `trc explain`: the one that fails gets its code first (a warning: before other warnings), the mended one compiles and does not. Those of trc-probes(7) and of
trc-language(7) compile too. Nothing is loaded, so no privileges are needed but those to look up what the examples name."""
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
TABLES = json.loads(subprocess.run([TRC, "--tables"], capture_output=True, text=True, check=True).stdout)


def compile_script(script):
    run = re.match(r"// run: (.*)\n", script)   # what stands behind it on the command line
    arguments = run.group(1).split() if run else []
    done = subprocess.run([TRC, "--mode", "codegen", "--diagnostics=json", "-e", script, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return done.returncode, [json.loads(line)["code"] for line in done.stderr.splitlines() if line.startswith("{")], done.stderr


class Explain(unittest.TestCase):
    def test_examples_of_diagnostics(self):
        severities = {row["name"]: row["severity"] for row in TABLES["diagnostics"]}
        for row in TABLES["diagnostics"]:
            with self.subTest(row["name"]):
                status, codes, text = compile_script(row["fails"])
                self.assertEqual([code for code in codes if severities[code] == row["severity"]][:1], [row["name"]], text)
                self.assertEqual(status, 1 if "error" in (severities[code] for code in codes) else 0, text)
                status, codes, text = compile_script(row["mended"])
                self.assertEqual((status, codes), (0, []), text)

    def test_every_code_is_told(self):
        for row in TABLES["diagnostics"]:
            done = subprocess.run([TRC, "explain", row["name"]], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0)
            self.assertIn(row["fails"], done.stdout)
            self.assertIn(row["mended"], done.stdout)

    def test_probe_examples(self):
        for row in TABLES["probes"]:
            with self.subTest(row["name"]):
                status, codes, text = compile_script(row["example"] + " { }")
                # What they name need not be on this machine; the form has to be right.
                self.assertIn((status, codes), [(0, []), (1, ["no-match"])], text)

    def test_examples_of_the_language_page(self):
        page = (ROOT / "man" / "trc-language.7").read_text()
        examples = re.findall(r"^\.EX\n(.*?)^\.EE$", page, flags=re.M | re.S)
        self.assertGreater(len(examples), 15)
        for example in examples:
            script = example.replace("\\-", "-").replace("\\e", "\\").replace("\\&", "")
            with self.subTest(script):
                status, codes, text = compile_script(script)
                self.assertEqual(status, 0, text)


if __name__ == "__main__":
    missing = needs.missing(["root", "bpf"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
