"""Clashes of a calendar: which can still be avoided by a choice of groups, and which the owner has dismissed."""

import datetime as dt

from tests.support.builders.calendars import assembly, calendar
from tests.support.builders.timetable import exam, lecture, period, semester_test
from upschedule.calendars.clashes import calendar_clashes, clash_dates, settled_clashes
from upschedule.calendars.model import Choices, Planning
from upschedule.timetable.academic_year import YearDates
from upschedule.timetable.event import Event

_CLASSES: tuple[Event, ...] = (
    lecture(),
    lecture(module="XYZ 210"),
    lecture(module="XYZ 210", activity="P1", group="P01"),
    lecture(module="XYZ 210", activity="P1", group="P02", day="Friday"),
)


def test_a_clash_with_one_of_several_groups_is_not_settled() -> None:
    found = assembly(*_CLASSES)

    assert {clash.settled for clash in calendar_clashes(found)} == {True, False}
    assert len(settled_clashes(found)) == 1


def test_a_class_test_and_exam_are_marked_on_the_dates_on_which_they_clash() -> None:
    monday = dt.date(2026, 3, 16)
    found = assembly(lecture(), semester_test(module="XYZ 210", date=monday, start="09:00"), exam())
    ids = {type(event).__name__: entry_id for entry_id, event in found.named}

    assert clash_dates(found) == {ids["Lecture"]: {monday}, ids["Test"]: {monday}}


def test_a_dismissed_clash_is_listed_as_such_and_not_marked() -> None:
    (clash,) = settled_clashes(assembly(*_CLASSES[:2]))

    found = assembly(*_CLASSES[:2], planning=Planning(dismissed_clashes=(clash.id,)))

    assert [clash.dismissed for clash in settled_clashes(found)] == [True]
    assert clash_dates(found) == {}


def test_other_dates_of_the_year_leave_a_dismissal_and_another_hour_ends_it() -> None:
    """A student who accepted an overlap at 08:30 did not accept one at 09:00."""
    (before,) = settled_clashes(assembly(*_CLASSES[:2]))
    (later_start,) = settled_clashes(
        assembly(*_CLASSES[:2], dates=YearDates(terms={"S1": period("2026-02-16", "2026-05-22")}))
    )
    (moved,) = settled_clashes(assembly(_CLASSES[0], lecture(module="XYZ 210", start="09:00", end="09:50")))

    assert before.dates != later_start.dates
    assert before.id == later_start.id
    assert moved.events == before.events
    assert moved.id != before.id


def test_hidden_entries_clash_with_nothing() -> None:
    assert calendar_clashes(assembly(*_CLASSES, choices=Choices(hidden_modules=("XYZ 210",)))) == ()


def test_planning_makes_no_cached_file_outdated_until_there_is_some() -> None:
    """A field with its default value is not part of the hash of a file."""
    assert calendar() == calendar(planning=Planning())
