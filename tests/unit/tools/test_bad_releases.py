"""The changes of tests/support/cluster/whole/bad_releases.py still fit this commit."""

import shutil
from pathlib import Path

import pytest

from tests.support.cluster.whole.bad_releases import BAD_RELEASES, BadRelease
from tests.support.paths import ROOT


@pytest.mark.parametrize("bad", BAD_RELEASES.values(), ids=BAD_RELEASES)
def test_a_change_applies_to_this_commit(tmp_path: Path, bad: BadRelease) -> None:
    """Otherwise only the tests of the whole cluster would find that a line has moved."""
    for folder in ("src", "migrations"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = contents(tmp_path)
    bad.change(tmp_path)
    assert contents(tmp_path) != before


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
