"""Each command of a runbook is run by a test."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.whole.runbooks import FOLDER, INDEX, blocks, names
from tests.support.paths import ROOT

#: Of what a reader would have to fill in: <ID>, ALLOCATION_ID, …; shell variables are named by the text above a block.
PLACEHOLDER = re.compile(r"<[A-Za-z][A-Za-z _-]*>|\bYOUR_|\bXXX|…")


def followed() -> Iterator[tuple[str, str]]:
    """Runbook and heading of each call of `follow` in the tests of the cluster."""
    for file in (ROOT / "tests" / "cluster").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "follow":
                name, *headings = [ast.literal_eval(word) for word in node.args]
                yield from ((name, heading) for heading in headings)


def test_every_command_of_a_runbook_is_run_by_a_test() -> None:
    """Under its own heading, and no test follows a block that is not there."""
    told = {(name, block.heading) for name in names() for block in blocks(name)}

    assert set(followed()) == told


@pytest.mark.parametrize("name", names())
def test_a_runbook_has_commands_that_can_be_typed_unchanged(name: str) -> None:
    """No placeholder to fill in, and nothing that asks back."""
    commands = [block.commands for block in blocks(name)]

    assert commands
    assert [PLACEHOLDER.findall(each) for each in commands if PLACEHOLDER.search(each)] == []
    assert not [each for each in commands if re.search(r"pulumi up(?!.*--yes)", each)]


def test_the_index_leads_to_every_runbook() -> None:
    """The index lists them by symptom."""
    index = Path(FOLDER / f"{INDEX}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!what you see|-)(.+?) \| (.+) \|$", index, re.MULTILINE)

    assert {name for _, target in rows for name in re.findall(r"\]\(([a-z-]+)\.md\)", target)} == set(names())
