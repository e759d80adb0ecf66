"""The log shipper's positions in logs that Nomad has split into files (`jobs/log-shipper/ship.py`)."""

import runpy
from typing import Any

from tests.support.paths import ROOT

PROGRAM: dict[str, Any] = runpy.run_path(str(ROOT / "jobs" / "log-shipper" / "ship.py"))
Position, split = PROGRAM["Position"], PROGRAM["split"]


def texts(lines: list[Any]) -> list[bytes]:
    return [line.text for line in lines]


def test_a_line_that_continues_in_the_next_file_is_one_line() -> None:
    """Its place is where it begins, and the next position counts from the file where it ends."""
    lines, after = split(Position(), [(0, 0, b"one\ntw"), (1, 0, b"o\nthree\n")], last=False)

    assert texts(lines) == [b"one", b"two", b"three"]
    assert [(line.file, line.offset) for line in lines] == [(0, 0), (0, 4), (1, 2)]
    assert after == Position(file=1, offset=8, sizes={0: 6})
    assert after.previous_byte() == (1, 7)


def test_a_position_at_the_beginning_of_a_file_follows_the_last_byte_of_the_file_before() -> None:
    """The new file has only a part of a line yet. Nothing is missing before it."""
    lines, after = split(Position(), [(0, 0, b"one\n"), (1, 0, b"tw")], last=False)

    assert texts(lines) == [b"one"]
    assert after == Position(file=1, offset=0, sizes={0: 4})
    assert after.previous_byte() == (0, 3)
    assert after.before(0) == 4


def test_a_line_without_an_end_is_sent_when_the_task_has_ended() -> None:
    """Until then, it may be a part of a longer one."""
    lines, after = split(Position(file=2, offset=10), [(2, 10, b"rest")], last=True)

    assert texts(lines) == [b"rest"]
    assert after == Position(file=2, offset=14)


def test_a_line_that_is_too_long_is_sent_in_parts() -> None:
    """Their offsets follow each other."""
    longest = PROGRAM["LINE_BYTES_MAX"]
    lines, after = split(Position(), [(0, 0, b"x" * (longest + 5) + b"\n")], last=False)

    assert [(len(line.text), line.offset) for line in lines] == [(longest, 0), (5, longest)]
    assert after.offset == longest + 6
