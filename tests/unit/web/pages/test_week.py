"""The typical weeks and the real weeks."""

import datetime as dt

import msgspec

from tests.support.builders.calendars import KNOWN, assembly
from tests.support.builders.events import a_lecture, a_test, an_exam
from tests.support.builders.timetable import period
from upschedule.timetable.academic_year import FollowedDay, YearDates
from upschedule.timetable.event import DAYS, Event
from upschedule.web.pages.days import Plan, clashing_occurrences, planned_days
from upschedule.web.pages.week import real_week, typical_weeks, with_other_classes


def test_saturday_is_shown_only_when_it_has_an_entry() -> None:
    """The same applies to Sunday."""
    (without,) = typical_weeks([("a", a_lecture())])
    (with_saturday,) = typical_weeks([("a", a_lecture(day="Saturday"))])
    assert [day.name for day in without.days] == list(DAYS[:5])
    assert [day.name for day in with_saturday.days] == list(DAYS[:6])


def test_each_semester_has_its_week_and_year_modules_are_in_both() -> None:
    """Quarters belong to their semester. An unknown offering is shown in every week."""
    offered = {"a": "Q1", "b": "S2", "c": "Y", "d": "T9"}
    shown = typical_weeks([(key, a_lecture(offered=value)) for key, value in offered.items()])
    ids = {
        week.title: sorted(item.entry_id for day in week.days for block in day.blocks for item in block.items)
        for week in shown
    }
    assert ids == {"First semester": ["a", "c", "d"], "Second semester": ["b", "c", "d"]}


def test_year_modules_alone_make_one_week() -> None:
    """The week has no semester in its title."""
    (week,) = typical_weeks([("a", a_lecture(offered="Y"))])
    assert week.title == "Every week"


def test_no_classes_make_no_week() -> None:
    assert typical_weeks([]) == ()


def test_other_choices_add_their_classes_and_the_weeks_that_only_they_have() -> None:
    """A week that is not shown has all of its classes, since another choice can show it."""
    shown = [("a", a_lecture(offered="S1")), ("b", a_lecture(offered="Y"))]
    others = [("c", a_lecture(offered="S2")), ("d", a_lecture(offered="Y", day="Saturday"))]
    found = with_other_classes(typical_weeks(shown), shown, others)
    assert [(week.title, week.shown) for week in found] == [
        ("First semester", True),
        ("Second semester", False),
        ("Every week", False),
    ]
    spare = [sorted(item.entry_id for day in week.spare for item in day.others) for week in found]
    assert spare == [["d"], ["b", "c", "d"], ["b", "d"]]
    assert with_other_classes((), [], others) == ()


_DATES = YearDates(
    terms={"S2": period("2026-07-13", "2026-10-16")},
    recesses=(period("2026-09-28", "2026-10-04", "October recess"),),
    follows=(FollowedDay(date=dt.date(2026, 8, 13), weekday="Monday"),),
)
_SATURDAY_TEST = dt.date(2026, 8, 22)


def _plan(*events: Event) -> Plan:
    calendar = assembly(*events, known=msgspec.structs.replace(KNOWN, dates=_DATES))
    plan = planned_days(calendar, clashing_occurrences(calendar))
    assert plan is not None
    return plan


def test_a_week_has_its_dates_from_monday_to_saturday() -> None:
    """It shows holidays, and the class that takes place on another weekday."""
    week = real_week(_plan(a_lecture()), dt.date(2026, 8, 12), dt.date(2026, 8, 13)).week
    assert week.title == "10 to 15 August 2026"
    # 9 August is a Sunday, so the Monday is the holiday.
    assert [(day.day, len(day.blocks), day.today) for day in week.days] == [
        ("10 Aug", 0, False), ("11 Aug", 0, False), ("12 Aug", 0, False), ("13 Aug", 1, True), ("14 Aug", 0, False),
        ("15 Aug", 0, False),
    ]  # fmt: skip
    assert "Women's Day" in week.days[0].note
    assert week.days[3].note == "Monday\N{RIGHT SINGLE QUOTATION MARK}s timetable is followed"
    assert week.days[3].blocks[0].items[0].followed == "Monday"


def test_tests_and_exams_are_in_their_week() -> None:
    """Sunday is shown only if it has an entry."""
    plan = _plan(a_lecture(), a_test(date=_SATURDAY_TEST), a_test(test="Test2", date=dt.date(2026, 8, 23)))
    days = real_week(plan, _SATURDAY_TEST, _SATURDAY_TEST).week.days
    assert [(day.name, [item.title for block in day.blocks for item in block.items]) for day in days[-2:]] == [
        ("Saturday", ["Test1"]),
        ("Sunday", ["Test2"]),
    ]


def test_a_recess_is_a_week_of_its_own() -> None:
    """Every day has the recess's name, and the links lead to the weeks beside it."""
    found = real_week(_plan(a_lecture()), dt.date(2026, 9, 30), dt.date(2026, 7, 14))
    assert {day.note for day in found.week.days} == {"October recess"}
    assert (found.previous, found.following) == (dt.date(2026, 9, 21), dt.date(2026, 10, 5))
    assert found.current == dt.date(2026, 7, 13)
    assert found.week.title == "28 September to 3 October 2026"


def test_this_week_is_shown_first_and_no_address_leads_beyond_the_calendar() -> None:
    """Before and after the calendar, its first week is shown."""
    plan = _plan(a_lecture(), an_exam())
    mondays = [
        real_week(plan, wanted, today).monday
        for wanted, today in (
            (None, dt.date(2026, 8, 22)),
            (None, dt.date(2026, 1, 1)),
            (None, dt.date(2027, 1, 1)),
            (dt.date(1900, 1, 1), dt.date(2026, 8, 22)),
            (dt.date(9999, 12, 31), dt.date(2026, 8, 22)),
        )
    ]
    first, last = dt.date(2026, 7, 13), dt.date(2026, 11, 2)
    assert mondays == [dt.date(2026, 8, 17), first, first, first, last]
    assert real_week(plan, last, last).following is None


def test_a_week_in_which_nothing_happens_is_not_shown_first() -> None:
    """The empty weeks are between the classes and the exam.

    A recess is not empty, and an empty week can still be requested.
    """
    plan = _plan(a_lecture(), an_exam(date=dt.date(2026, 12, 10)))
    shown = [
        real_week(plan, wanted, today).monday
        for wanted, today in (
            (None, dt.date(2026, 11, 17)),
            (None, dt.date(2026, 9, 30)),
            (dt.date(2026, 11, 17), dt.date(2026, 11, 17)),
        )
    ]
    assert shown == [dt.date(2026, 12, 7), dt.date(2026, 9, 28), dt.date(2026, 11, 16)]


def test_what_happens_at_the_same_time_is_marked_on_that_date_only() -> None:
    """The same class in another week is not marked."""
    monday = dt.date(2026, 8, 17)
    plan = _plan(a_lecture(), a_test(date=monday, day="Monday", start="08:00", end="09:30"))
    clashing = [[item.clashes for item in plan.day(date).items] for date in (monday, dt.date(2026, 8, 24))]
    assert clashing == [[True, True], [False]]
