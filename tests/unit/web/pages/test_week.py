"""The week's grid."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders.events import a_lecture
from upschedule.timetable.event import DAYS
from upschedule.web.pages.week import COLUMNS, LINES_MAX, Slot, teaching_weeks


def _slots(*lectures_of_a_day: tuple[str, str]) -> list[Slot]:
    named = [(str(n), a_lecture(start=start, end=end)) for n, (start, end) in enumerate(lectures_of_a_day)]
    (week,) = teaching_weeks(named)
    return [slot for day in week.days for slot in day.slots]


def _across(slot: Slot) -> tuple[int, int]:
    return slot.first_column, slot.last_column


def test_a_class_alone_is_as_wide_as_its_day() -> None:
    """The grid begins with the hour, and has a line every five minutes."""
    (slot,) = _slots(("08:30", "09:20"))
    assert _across(slot) == (1, COLUMNS + 1)
    assert (slot.first_line, slot.last_line) == (7, 17)


def test_classes_that_touch_do_not_share_the_width() -> None:
    """One ends when the next begins."""
    first, second = _slots(("08:30", "09:30"), ("09:30", "10:20"))
    assert _across(first) == _across(second) == (1, COLUMNS + 1)


def test_three_parallel_classes_share_it_and_are_crowded() -> None:
    """Evenly; a fourth that follows the first takes its lane."""
    slots = _slots(("08:30", "09:20"), ("08:30", "11:20"), ("08:30", "11:20"), ("09:30", "10:20"))
    assert [_across(slot) for slot in slots] == [(1, 21), (21, 41), (41, 61), (1, 21)]
    assert all(slot.crowded for slot in slots)


def test_saturday_stands_there_only_when_something_happens_on_it() -> None:
    """Sunday the same."""
    (without,) = teaching_weeks([("a", a_lecture())])
    (with_saturday,) = teaching_weeks([("a", a_lecture(day="Saturday"))])
    assert [day.name for day in without.days] == list(DAYS[:5])
    assert [day.name for day in with_saturday.days] == list(DAYS[:6])


def test_each_semester_has_its_week_and_year_modules_stand_in_both() -> None:
    """Quarters belong to their semester; an unknown offering is shown in every week."""
    offered = {"a": "Q1", "b": "S2", "c": "Y", "d": "T9"}
    shown = teaching_weeks([(key, a_lecture(offered=value)) for key, value in offered.items()])
    ids = {week.title: sorted(slot.entry_id for day in week.days for slot in day.slots) for week in shown}
    assert ids == {"First semester": ["a", "c", "d"], "Second semester": ["b", "c", "d"]}


def test_year_modules_alone_make_one_week() -> None:
    """Of no semester in particular."""
    (week,) = teaching_weeks([("a", a_lecture(offered="Y"))])
    assert week.title == "Every week"


def test_no_classes_make_no_week() -> None:
    assert teaching_weeks([]) == ()


_clock = st.integers(0, 23 * 60 + 58)


@given(st.lists(st.tuples(_clock, _clock), min_size=1, max_size=12))
def test_no_two_classes_overlap_in_the_grid(times: list[tuple[int, int]]) -> None:
    """Whatever is printed, everything is inside the grid and no class hides another."""
    periods = [tuple(sorted((start, end))) for start, end in times]
    clock = [(f"{a // 60:02}:{a % 60:02}", f"{(b + 1) // 60:02}:{(b + 1) % 60:02}") for a, b in periods]
    slots = _slots(*clock)
    assert len(slots) == len(clock)
    for slot in slots:
        assert 1 <= slot.first_line < slot.last_line <= LINES_MAX + 1
        assert 1 <= slot.first_column < slot.last_column <= COLUMNS + 1
    for one in slots:
        for other in slots:
            together = one.lecture.start < other.lecture.end and other.lecture.start < one.lecture.end
            if one is not other and together:
                assert one.last_column <= other.first_column or other.last_column <= one.first_column
