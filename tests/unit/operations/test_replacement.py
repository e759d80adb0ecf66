"""Replacing the stores in the data folder by restored ones, interrupted at every step."""

from pathlib import Path

import pytest

from upschedule.operations.local.replacement import (
    DECIDED,
    ENTRIES,
    REPLACED,
    begin_replacement,
    commit_replacement,
    discard_replacement,
    finish_replacement,
)


def _ignore(line: str) -> None:
    del line


def _filled(folder: Path, text: str) -> Path:
    for name in ENTRIES:
        if name.endswith(".json"):
            (folder / name).write_text(text)
        else:
            (folder / name).mkdir(parents=True)
            (folder / name / "file").write_text(text)
    return folder


def _texts(folder: Path) -> set[str]:
    return {((folder / name) if name.endswith(".json") else folder / name / "file").read_text() for name in ENTRIES}


def test_all_entries_are_exchanged_and_those_of_before_are_kept(tmp_path: Path) -> None:
    """Logs and other files stay where they are."""
    (_filled(tmp_path, "old") / "api").mkdir()
    _filled(begin_replacement(tmp_path), "new")
    commit_replacement(tmp_path, _ignore)

    assert (_texts(tmp_path), _texts(tmp_path / REPLACED)) == ({"new"}, {"old"})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*ENTRIES, "api", REPLACED])


def test_what_was_not_committed_changes_nothing(tmp_path: Path) -> None:
    """The next start checks for it, and the next restore starts from the beginning."""
    _filled(begin_replacement(_filled(tmp_path, "old")), "new")
    finish_replacement(tmp_path, _ignore)
    assert _texts(tmp_path) == {"old"}
    assert list(begin_replacement(tmp_path).iterdir()) == []
    discard_replacement(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(ENTRIES)


@pytest.mark.parametrize("moves", range(2 * len(ENTRIES) + 1))
def test_a_killed_exchange_is_finished_by_the_next_command(tmp_path: Path, moves: int) -> None:
    """The command is killed after each of its moves. A second kill and a third call change nothing more."""
    _filled(begin_replacement(_filled(tmp_path, "old")), "new").rename(tmp_path / DECIDED)
    steps = [
        step
        for name in ENTRIES
        for step in (
            (tmp_path / name, tmp_path / REPLACED / name),
            (tmp_path / DECIDED / name, tmp_path / name),
        )
    ]
    for source, target in steps[:moves]:
        target.parent.mkdir(exist_ok=True)
        source.rename(target)
    finish_replacement(tmp_path, _ignore)
    finish_replacement(tmp_path, _ignore)

    assert (_texts(tmp_path), _texts(tmp_path / REPLACED)) == ({"new"}, {"old"})
    assert not (tmp_path / DECIDED).exists()
