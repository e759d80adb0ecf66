"""The changes of tests/support/cluster/whole/bad_releases.py still apply to this commit."""

import shutil
from pathlib import Path

import pytest

from tests.support.cluster.whole.bad_releases import BAD_RELEASES, TURNING_BAD
from tests.support.cluster.whole.releases import Change
from tests.support.paths import ROOT

CHANGES = {name: each.change for name, each in BAD_RELEASES.items()} | TURNING_BAD


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_applies_to_this_commit(tmp_path: Path, change: Change) -> None:
    """Otherwise only the tests of the whole cluster would find that a line has changed."""
    for folder in ("src", "migrations"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = contents(tmp_path)
    change(tmp_path)
    assert contents(tmp_path) != before


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
