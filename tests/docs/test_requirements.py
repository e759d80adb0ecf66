"""`docs/requirements.md` names a test for every requirement that it calls proven, and each of those tests exists."""

import ast
import re
from functools import cache
from typing import NamedTuple

from tests.support.paths import ROOT

REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
#: Paths in the column `where`: of the repository, or below `src/upschedule/`.
PLACE = re.compile(r"`([^`]+)`")
#: The command that prints a figure or checks it.
COMMAND = re.compile(r"`(?:[A-Z_]+=\S+ )?((?:pytest|nox -s|python -m) [^`]+)`")
NO_FIGURE = "no figure applies: "
LAST_CRITERION = {1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5, 7: 5, 8: 5, 9: 5, 10: 5, 11: 5, 12: 5}


class Row(NamedTuple):
    """One line of the table; `missing` says what is not proven yet."""

    requirement: str
    where: str
    tests: str
    figure: str
    missing: str


def _rows() -> list[Row]:
    text = (ROOT / "docs/requirements.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| R")]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


@cache
def _functions_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _tests_in(path: str) -> frozenset[str]:
    return frozenset(name for name in _functions_in(path) if name.startswith("test_"))


def test_the_table_has_every_requirement_once_and_in_order() -> None:
    """R1.1 to R12.5, sixty of them."""
    expected = [f"R{group}.{number}" for group, last in LAST_CRITERION.items() for number in range(1, last + 1)]

    assert [row.requirement.split()[0] for row in _rows()] == expected


def test_every_test_that_the_tables_name_exists() -> None:
    """A test that is renamed or deleted leaves its requirement, or its threat in SECURITY.md, unproven."""
    named = [match for row in _rows() for match in REFERENCE.findall(row.tests)]
    named += REFERENCE.findall((ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    gone = [f"{path}::{name}" for path, name in named if not (ROOT / path).is_file() or name not in _tests_in(path)]

    assert not gone


def test_every_place_that_the_table_names_exists() -> None:
    """A module that is renamed or moved takes its row along."""
    named = [place for row in _rows() for place in PLACE.findall(row.where)]
    gone = [place for place in named if not any(list((ROOT / base).glob(place)) for base in (".", "src/upschedule"))]

    assert not gone


def test_a_requirement_without_a_test_says_what_is_missing() -> None:
    """Nothing is silently unproven; and what has neither place nor gap would be a blank."""
    silent = [row.requirement for row in _rows() if not REFERENCE.findall(row.tests) and not row.missing]
    homeless = [row.requirement for row in _rows() if not row.where and not row.missing]

    assert not silent
    assert not homeless


def test_each_figure_has_the_command_that_prints_it() -> None:
    """A requirement that cannot be measured says why instead."""
    without = [
        row.requirement for row in _rows() if not COMMAND.findall(row.figure) and not row.figure.startswith(NO_FIGURE)
    ]

    assert not without


def test_the_commands_of_the_figures_exist() -> None:
    """A file, a session or a program that is renamed changes the command that names it."""
    sessions = {f"nox -s {name}" for name in _functions_in("noxfile.py")}
    gone: list[str] = []
    for command in (command for row in _rows() for command in COMMAND.findall(row.figure)):
        words = command.split()
        if words[0] == "pytest":
            exists = all((ROOT / word).exists() for word in words if word.startswith("tests/"))
            chosen = words[words.index("-k") + 1] if "-k" in words else ""
            exists &= any(chosen in name for word in words if word.endswith(".py") for name in _tests_in(word))
        elif words[0] == "nox":
            exists = " ".join(words[:3]) in sessions
        else:
            module = words[2].replace(".", "/")
            exists = (ROOT / f"{module}.py").is_file() or (ROOT / module / "__main__.py").is_file()
        if not exists:
            gone.append(command)

    assert not gone
