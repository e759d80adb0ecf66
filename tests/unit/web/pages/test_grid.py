"""The positions of a day's items in the grid."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders.events import a_lecture
from upschedule.web.pages.grid import LINES_MAX, Block, frame
from upschedule.web.pages.items import item_of


def _blocks(*times: tuple[str, str]) -> tuple[Block, ...]:
    items = [item_of(str(n), a_lecture(start=start, end=end)) for n, (start, end) in enumerate(times)]
    return frame(items).blocks(items)


def test_a_class_alone_is_as_wide_as_its_day() -> None:
    """The grid begins with the hour, and has a line every five minutes."""
    (block,) = _blocks(("08:30", "09:20"))
    assert (block.half, block.first_line, block.last_line) == (0, 7, 17)


def test_classes_that_touch_do_not_share_the_width() -> None:
    """One class ends when the next begins."""
    assert [block.half for block in _blocks(("08:30", "09:30"), ("09:30", "10:20"))] == [0, 0]


def test_two_parallel_classes_share_the_width() -> None:
    """A third class that follows the first takes its half."""
    blocks = _blocks(("08:30", "09:20"), ("08:30", "11:20"), ("09:30", "10:20"))
    assert [block.half for block in blocks] == [1, 2, 1]


def test_three_parallel_classes_are_listed_together() -> None:
    """Beside each other they would be too narrow to read their rooms."""
    (block,) = _blocks(("08:30", "09:20"), ("08:30", "11:20"), ("08:40", "11:20"), ("09:30", "10:20"))
    assert [item.start for item in block.items] == ["08:30", "08:30", "08:40", "09:30"]
    assert (block.half, block.first_line, block.last_line) == (0, 7, 41)


_clock = st.integers(0, 23 * 60 + 58)


@given(st.lists(st.tuples(_clock, _clock), min_size=1, max_size=12))
def test_no_two_blocks_overlap_in_the_grid(times: list[tuple[int, int]]) -> None:
    """Every item is in the grid exactly once, and no block hides another."""
    periods = [tuple(sorted((start, end))) for start, end in times]
    blocks = _blocks(*[(f"{a // 60:02}:{a % 60:02}", f"{(b + 1) // 60:02}:{(b + 1) % 60:02}") for a, b in periods])
    assert sorted(item.entry_id for block in blocks for item in block.items) == sorted(map(str, range(len(times))))
    for block in blocks:
        assert 1 <= block.first_line < block.last_line <= LINES_MAX + 1
    for number, one in enumerate(blocks):
        for other in blocks[number + 1 :]:
            together = one.items[0].start < max(item.end for item in other.items) and other.items[0].start < max(
                item.end for item in one.items
            )
            assert not together or {one.half, other.half} == {1, 2}
