"""The changes between two printings."""

import datetime as dt
from typing import Any

import pytest

from tests.support.builders.events import a_lecture, a_test, an_exam, box
from upschedule.timetable.changes import changes
from upschedule.timetable.event import Event


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (a_lecture(), a_lecture(day="Tuesday"), ("moved",)),
        (a_lecture(), a_lecture(start="09:30", end="10:20"), ("time",)),
        (a_lecture(), a_lecture(venues=("Oak 2-26",)), ("venue",)),
        (a_lecture(), a_lecture(day="Tuesday", start="07:30", venues=("Oak 2-26",)), ("moved", "time", "venue")),
        (a_lecture(), a_lecture(language="A"), ("details",)),
        (a_test(), a_test(date=dt.date(2026, 8, 29)), ("moved",)),
        (a_test(), a_test(end="12:00"), ("time",)),
        (an_exam(), an_exam(date=dt.date(2026, 11, 4)), ("moved",)),
        (an_exam(status="PROVISIONAL"), an_exam(), ("details",)),
    ],
)
def test_an_entry_that_differs_is_one_change(before: Event, after: Event, kinds: tuple[str, ...]) -> None:
    (change,) = changes([before], [after])

    assert (change.kinds, change.before, change.after) == (kinds, before, after)


def test_what_is_printed_elsewhere_or_in_another_order_is_no_change() -> None:
    """The page and the rows differ, rooms are in another order, and a class in two rooms has two rows."""
    before = [a_lecture(venues=("A 1", "B 2")), a_test(), an_exam()]
    after: list[Event] = [
        an_exam(page=3), a_test(boxes=(box(2, 1),)), a_lecture(venues=("B 2",)), a_lecture(venues=("A 1",), page=2)
    ]  # fmt: skip
    assert changes(before, after) == ()


def test_what_is_there_only_before_or_after_is_removed_or_added() -> None:
    """They are in the order of the modules."""
    found = changes([a_lecture(module="XYZ 214"), a_test()], [a_test(), a_lecture()])

    assert [(change.kinds, change.event.module) for change in found] == [
        (("added",), "ABC 123"),
        (("removed",), "XYZ 214"),
    ]


def test_of_several_slots_those_that_stay_are_no_change() -> None:
    """The first of two weekly classes moves behind the second. This is one move, not two."""
    slots: list[dict[str, Any]] = [{"day": "Monday"}, {"day": "Wednesday"}]
    before = [a_lecture(**slot) for slot in slots]
    (moved,) = changes(before, [a_lecture(day="Wednesday"), a_lecture(day="Friday")])

    assert (moved.before, moved.after) == (a_lecture(day="Monday"), a_lecture(day="Friday"))


def test_a_slot_more_is_added_and_one_less_removed() -> None:
    one, two = [a_lecture()], [a_lecture(), a_lecture(day="Friday")]

    assert [change.kinds for change in changes(one, two)] == [("added",)]
    assert [change.kinds for change in changes(two, one)] == [("removed",)]
