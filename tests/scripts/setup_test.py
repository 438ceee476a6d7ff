"""scripts/setup: how a package source's signature is carried over, and that the manual lists the same packages."""
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIRROR = "http://mirror.example/debian"

ONE_LINE = f"""# comment
deb [arch=amd64 signed-by=/usr/share/keyrings/first.gpg,/usr/share/keyrings/second.gpg] {MIRROR} bookworm main
deb http://other.example/debian bookworm main
"""
STANZAS = f"""Types: deb
# URIs: {MIRROR}
URIs: http://other.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/other.gpg

Types: deb
URIs: {MIRROR}/ http://third.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg
"""
INLINE = f"""Types: deb
URIs: {MIRROR}
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcd
 -----END PGP PUBLIC KEY BLOCK-----
"""


def signed_by(name, text, uri):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        path.write_text(text)
        command = f'. "{ROOT}/scripts/apt_source.sh"; signed_by_of "{path}:1" "{uri}"'
        return subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True, check=True).stdout


class SignedBy(unittest.TestCase):
    def test_one_line_form(self):
        self.assertEqual(signed_by("sources.list", ONE_LINE, MIRROR + "/"), "Signed-By: /usr/share/keyrings/first.gpg /usr/share/keyrings/second.gpg\n")

    def test_one_line_form_without_a_key(self):
        self.assertEqual(signed_by("sources.list", ONE_LINE, "http://other.example/debian/"), "")

    def test_stanza_of_the_repository(self):
        self.assertEqual(signed_by("debian.sources", STANZAS, MIRROR + "/"), "Signed-By: /usr/share/keyrings/debian.gpg\n")
        self.assertEqual(signed_by("debian.sources", STANZAS, "http://third.example/debian/"), "Signed-By: /usr/share/keyrings/debian.gpg\n")

    def test_key_inside_the_stanza(self):
        self.assertEqual(signed_by("debian.sources", INLINE, MIRROR + "/"), INLINE[INLINE.index("Signed-By"):])


class Packages(unittest.TestCase):
    def test_the_manual_lists_what_is_installed(self):
        setup = (ROOT / "scripts" / "setup").read_text()
        listed = re.search(r"^packages=\((.*?)^\)", setup, re.M | re.S).group(1).split()
        listed += [name for names in re.findall(r"packages\+=\((.*?)\)", setup) for name in names.split()]   # of one release of Debian
        page = (ROOT / "docs" / "development.md").read_text()
        rows = re.findall(r"^\| (`[^|]*`) \|", page[:page.index("## Building")], re.M)
        documented = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
        self.assertEqual(sorted(listed + ["libbpf-dev"]), sorted(documented))

    def test_no_host_is_named(self):
        for script in (ROOT / "scripts").iterdir():
            if script.is_file():
                self.assertNotRegex(script.read_text(), r"https?://", script.name)


if __name__ == "__main__":
    unittest.main()
