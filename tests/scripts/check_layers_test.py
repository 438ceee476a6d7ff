"""scripts/check_layers.py on small trees: what it allows, and that each kind of breach is named."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check_layers.py"
TABLE = """# Architecture
| folder | what it is | may include |
| --- | --- | --- |
| base | all | nothing of ours |
| ast | tree | base |
| ast/passes | passes | base, ast |
| cli | options | anything |

| folder | unrelated | table |
"""


class CheckLayers(unittest.TestCase):
    def check(self, files, table=TABLE):
        with tempfile.TemporaryDirectory() as name:
            project = pathlib.Path(name)
            (project / "docs").mkdir()
            (project / "docs" / "architecture.md").write_text(table)
            for path, text in files.items():
                (project / "src" / path).parent.mkdir(parents=True, exist_ok=True)
                (project / "src" / path).write_text(text)
            done = subprocess.run([sys.executable, SCRIPT, project], capture_output=True, text=True)
            return done.returncode, done.stdout

    def test_allowed_includes_pass(self):
        status, text = self.check({
            "base/a.h": "#include <vector>\n",
            "ast/b.cc": '#include "ast/b.h"\n#include "base/a.h"\n#include "generated.hh"\n',
            "ast/passes/c.cc": '#include "ast/b.h"\n',
            "cli/d.cc": '#include "ast/passes/c.h"\n#include <CLI/CLI.hpp>\n',
        })
        self.assertEqual((status, text), (0, "4 files keep to the layers\n"))

    def test_a_breach_is_named_with_its_line(self):
        status, text = self.check({"base/a.h": '#pragma once\n#include "ast/b.h"\n'})
        self.assertEqual(status, 1)
        self.assertIn("src/base/a.h:2: base may not include ast (ast/b.h)", text)

    def test_a_subfolder_is_not_its_parent(self):
        status, text = self.check({"ast/b.cc": '#include "ast/passes/c.h"\n'})
        self.assertEqual(status, 1)
        self.assertIn("ast may not include ast/passes", text)

    def test_third_party_headers_are_fenced(self):
        status, text = self.check({"ast/b.cc": '#include "llvm/IR/Module.h"\n#include <bpf/libbpf.h>\n'})
        self.assertEqual(status, 1)
        self.assertIn("src/ast/b.cc:1: llvm/IR/Module.h", text)
        self.assertIn("src/ast/b.cc:2: bpf/libbpf.h", text)

    def test_a_folder_without_a_row_fails(self):
        status, text = self.check({"extra/a.h": ""})
        self.assertEqual(status, 1)
        self.assertIn("src/extra/a.h:1: the folder is not in the table", text)

    def test_a_row_that_allows_an_unknown_folder_fails(self):
        status, text = self.check({"base/a.h": ""}, TABLE.replace("base, ast", "base, tree"))
        self.assertEqual(status, 1)
        self.assertIn("'tree' is allowed", text)

    def test_no_table_or_no_files_fails(self):
        self.assertEqual(self.check({"base/a.h": ""}, "nothing")[0], 1)
        self.assertEqual(self.check({})[0], 1)


if __name__ == "__main__":
    unittest.main()
