"""The commands of make, and the messages of the installer when it cannot continue."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def test_make_alone_lists_every_command_with_its_meaning() -> None:
    """Help is the default target and names every command."""
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20).stdout
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert declared
    assert re.findall(r"^  make (\S+) +\S", listed, re.MULTILINE) == declared[1].split()


def test_an_incomplete_copy_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Nothing is installed, and no traceback is shown."""
    (tmp_path / "tools").mkdir()
    program = shutil.copy(ROOT / "tools" / "bootstrap.py", tmp_path / "tools")
    refused = subprocess.run(
        [sys.executable, program, "servers", "true"], capture_output=True, text=True, check=False, timeout=20
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "uv.lock is missing: this is not a complete copy of the project.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["tools"]


def test_an_older_python_can_read_the_installer() -> None:
    """Distributions in use still have Python 3.6. It must be able to print the sentence that asks for a newer one."""
    source = (ROOT / "tools" / "bootstrap.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]

    assert [node.module for node in imported] == ["pathlib"]
