"""A small project in Git: two of our locked dependencies, some code, one migration."""

import re
import subprocess
from pathlib import Path

from tests.support.paths import ROOT

#: One in pure Python, one with an extension.
DEPENDENCIES = ("click", "msgspec")
_PROJECT = '[project]\nname = "upschedule"\nversion = "1.2.3"\nrequires-python = ">=3.11"\ndependencies = {}\n'
_OURS = """[[package]]
name = "upschedule"
version = "1.2.3"
source = {{ virtual = "." }}
dependencies = [{}]
"""


def make_repository(folder: Path) -> Path:
    """Committed, and clean."""
    (folder / "src" / "upschedule").mkdir(parents=True)
    (folder / "migrations").mkdir()
    (folder / "src" / "upschedule" / "__init__.py").write_text('WORDS = {"one", "two", "three", "four"}\n')
    (folder / "migrations" / "0001_expand_x.sql").write_text("CREATE TABLE x (id int);\n")
    (folder / "pyproject.toml").write_text(_PROJECT.format(list(DEPENDENCIES)))
    (folder / "uv.lock").write_text(_lock())
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "Begin")
    return folder


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    git(folder, *who, "commit", "--quiet", "--message", message)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def _lock() -> str:
    """The part of our own lock file that these dependencies need."""
    head, *packages = (ROOT / "uv.lock").read_text(encoding="utf-8").split("[[package]]\n")
    kept = [package for package in packages if re.match(rf'name = "({"|".join(DEPENDENCIES)})"\n', package)]
    named = ", ".join(f'{{ name = "{name}" }}' for name in DEPENDENCIES)
    first = head.partition("\n[")[0].strip()
    return "\n\n".join([first, *(f"[[package]]\n{package.strip()}" for package in kept), _OURS.format(named)])
