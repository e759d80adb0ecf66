"""The commands, files and settings that the pages name exist."""

import ast
import importlib.util
import re
from pathlib import Path

import click
import pytest

from tests.support.paths import ROOT
from upschedule.cli import COMMANDS, main
from upschedule.settings import loading

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
#: Pages write paths of the package without the folders above it.
ROOTS = (ROOT, ROOT / "src/upschedule")
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def _code(page: Path) -> str:
    """The text between backticks, in lines and in blocks."""
    text = page.read_text(encoding="utf-8")
    return "\n".join(block or span for block, span in CODE.findall(text))


ALL_CODE = "\n".join(map(_code, PAGES))


def _sessions() -> set[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def _variables_of_options(command: click.Command) -> set[str]:
    """The variables of the options of the command and its subcommands."""
    found = {str(option.envvar) for option in command.params if option.envvar}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            found |= _variables_of_options(below)
    return found


@pytest.mark.parametrize(
    ("command", "known"),
    [
        (r"\bmake ([a-z-]+)", _targets()),
        (r"\bnox (?:-s|--session) ([a-z_]+)", _sessions()),
        (r"(?:^|run )upschedule ([a-z]+)", set(COMMANDS)),
        (r"\b(UPSCHEDULE_[A-Z_]+)", {field.variable for field in loading.fields()} | _variables_of_options(main)),
    ],
    ids=["make", "nox", "upschedule", "settings"],
)
def test_commands_and_settings_on_the_pages_exist(command: str, known: set[str]) -> None:
    """A renamed target, session, command or setting is renamed on every page."""
    named = set(re.findall(command, ALL_CODE, flags=re.MULTILINE))

    assert named
    assert not named - known


def test_programs_on_the_pages_exist() -> None:
    """`python -m` finds each."""
    named = set(re.findall(r"\bpython3? -m ([\w.]+)", ALL_CODE))

    assert named
    assert [name for name in named if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_on_a_page_exist(page: Path) -> None:
    """Paths in backticks start at the root or at the package."""
    paths = re.findall(r"`((?:\w+/)+[a-z0-9_.-]+\.(?:py|sql|md|js|css))`", page.read_text(encoding="utf-8"))

    assert [path for path in paths if not any((root / path).is_file() for root in ROOTS)] == []
