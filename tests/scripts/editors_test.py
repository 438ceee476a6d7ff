"""Completions and syntax files as scripts/generate makes them, read by the programs that they are for; those that are not installed are skipped."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = """#!/usr/bin/env trc
// a comment with printf
config = { max_strlen = 64 }
uprobe:/bin/bash:readline /comm == "bash"/ {
  @calls[pid] = count();
  $s = str(arg0);
  if ($s != "x\\n%d") { printf("%s\\n", $s); }
}
END { @h = hist(nsecs / 1000); }
"""
# What each word is, by line and word: the group of Vim, the scope of TextMate.
EXPECTED = [
    (1, "env", "trcShebang", "comment.line.shebang.trc"), (2, "printf", "trcComment", "comment.line.double-slash.trc"),
    (3, "config", "trcKeyword", "keyword.control.trc"), (3, "64", "trcNumber", "constant.numeric.trc"),
    (4, "uprobe", "trcProbe", "entity.name.section.probe.trc"), (4, "comm", "trcValue", "support.constant.trc"),
    (5, "@calls", "trcMap", "variable.other.map.trc"), (5, "count", "trcFunction", "support.function.trc"),
    (6, "$s", "trcVariable", "variable.other.trc"), (6, "arg0", "trcValue", "support.constant.trc"),
    (7, "if", "trcKeyword", "keyword.control.trc"), (7, "%d", "trcFormat", None),
    (9, "END", "trcProbe", "entity.name.section.probe.trc"), (9, "nsecs", "trcValue", "support.constant.trc"),
]


class Editors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.made = pathlib.Path(cls.folder.name)
        subprocess.run([sys.executable, ROOT / "scripts" / "generate", "--into", cls.made, "--trc", os.environ["TRC"]], check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def complete(self, *words):
        """What bash offers behind these words; the last one is unfinished."""
        script = f'''source {self.made}/completion/trc; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _trc; printf "%s\\n" "${{COMPREPLY[@]}}"'''
        done = subprocess.run(["bash", "-c", script, "trc", *words], capture_output=True, text=True, cwd=self.made)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_bash_completes_options_values_and_codes(self):
        self.assertEqual(self.complete("trc", "--foo"), [])
        self.assertEqual(self.complete("trc", "--exit"), ["--exit-with-child"])
        self.assertEqual(self.complete("trc", "-f", ""), ["text", "json", "jsonl"])
        self.assertEqual(self.complete("trc", "--format", "=", "jsonl"), ["jsonl"])
        self.assertEqual(self.complete("trc", "--format", "="), ["text", "json", "jsonl"])
        self.assertEqual(self.complete("trc", "-d", "ver"), ["verifier"])
        self.assertEqual(self.complete("trc", "explain", "unknown-fu"), ["unknown-function"])
        self.assertIn(str(os.getpid()), self.complete("trc", "-p", ""))
        self.assertIn("completion", self.complete("trc", "comp"))
        self.assertEqual(self.complete("trc", "-e", ""), [])

    def check_syntax(self, shell, *words):
        if not shutil.which(shell):
            self.skipTest(f"{shell} is not installed")
        done = subprocess.run([shell, *words], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_zsh_reads_its_completion(self):
        self.check_syntax("zsh", "-n", str(self.made / "completion/_trc"))

    def test_fish_reads_its_completion(self):
        self.check_syntax("fish", "-c", f"source {self.made}/completion/trc.fish; test (count (complete -C 'trc --form')) -gt 0")

    def test_vim_knows_what_each_word_is(self):
        if not shutil.which("vim") or "+syntax" not in subprocess.run(["vim", "--version"], capture_output=True, text=True).stdout:
            self.skipTest("vim with syntax is not installed")
        script = self.made / "example.bt"
        script.write_text(SCRIPT)
        lines = SCRIPT.split("\n")
        asked = [(line, lines[line - 1].index(word) + len(word)) for line, word, _, _ in EXPECTED]   # a word's last letter
        ask = "\n".join(f"call add(g:answers, synIDattr(synID({line}, {column}, 1), 'name'))" for line, column in asked)
        (self.made / "ask.vim").write_text(f"set runtimepath^={self.made}/vim\nfiletype on\nsyntax on\nedit {script}\nlet g:answers = [&filetype]\n{ask}\n"
                                           f"call writefile(g:answers, '{self.made}/answers')\nqall!\n")
        subprocess.run(["vim", "-es", "-N", "-u", "NONE", "-i", "NONE", "-S", self.made / "ask.vim"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        answers = (self.made / "answers").read_text().split("\n")
        self.assertEqual(answers[:-1], ["trc", *(group for _, _, group, _ in EXPECTED)])

    def test_textmate_patterns_find_the_same(self):
        patterns = json.loads((self.made / "textmate/trc.tmLanguage.json").read_text())["patterns"]
        lines = SCRIPT.split("\n")
        for line, word, _, scope in EXPECTED:
            if scope is None:
                continue   # inside of another
            text = lines[line - 1]
            at = text.index(word)
            found = []
            for order, pattern in enumerate(patterns):
                for match in re.finditer(pattern.get("match", "(?!)"), text):
                    if match.start() <= at < match.end():
                        found.append((match.start(), order, pattern["name"]))
            self.assertTrue(found, word)
            self.assertEqual(min(found)[2], scope, word)


if __name__ == "__main__":
    if not os.environ.get("TRC"):
        print("SKIP: trc is not built")
        sys.exit(77)
    unittest.main()
