"""For generated years and lectures, four calendar parsers show exactly the classes of a day-by-day calculation."""

import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterator

import holidays
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.builders.timetable import HEADER, lecture, published, semester_test
from tests.support.calendar_parsers import by_icalendar, by_vobject, content_lines
from tests.support.javascript_parsers import JavaScriptParsers, javascript_parsers
from upschedule.timetable.academic_year import AcademicYear, FollowedDay, HolidayChange, Period, Term, YearDates
from upschedule.timetable.event import DAYS, Lecture
from upschedule.timetable.icalendar import write
from upschedule.timetable.public_holidays import public_holidays
from upschedule.timetable.verify import verify
from upschedule.timetable.year_validation import find_year_errors

QUARTERS: tuple[Term, ...] = ("Q1", "Q2", "Q3", "Q4")
SEMESTERS: dict[Term, tuple[Term, Term]] = {"S1": ("Q1", "Q2"), "S2": ("Q3", "Q4")}
CLOCKS = ("07:30", "08:30", "09:20", "10:20", "13:20", "16:20", "17:20", "19:10")


@st.composite
def _terms(draw: st.DrawFn, year: int) -> dict[Term, Period]:
    """Four quarters in order, each of one day to ten weeks, with or without gaps.

    Some semesters have their own dates.
    """
    terms: dict[Term, Period] = {}
    date = dt.date(year, 1, 1) + dt.timedelta(days=draw(st.integers(0, 60)))
    for quarter in QUARTERS:
        end = min(date + dt.timedelta(days=draw(st.integers(0, 70))), dt.date(year, 12, 30))
        terms[quarter] = Period(start=date, end=end)
        date = min(end + dt.timedelta(days=draw(st.integers(1, 12))), dt.date(year, 12, 31))
    for semester, (first, last) in SEMESTERS.items():
        if draw(st.booleans()):
            terms[semester] = Period(start=terms[first].start, end=terms[last].end)
    return terms


@st.composite
def _dates(draw: st.DrawFn, year: int) -> YearDates:
    day = st.dates(dt.date(year, 1, 1), dt.date(year, 12, 31))
    spans = st.tuples(day, st.integers(0, 12)).map(
        lambda span: Period(start=span[0], end=min(span[0] + dt.timedelta(days=span[1]), dt.date(year, 12, 31)))
    )
    follows = st.builds(FollowedDay, date=day, weekday=st.sampled_from(DAYS))
    holiday = st.builds(HolidayChange, date=day, observed=st.booleans())
    dates = YearDates(
        terms=draw(_terms(year)),
        recesses=tuple(draw(st.lists(spans, max_size=3))),
        no_lectures=tuple(draw(st.lists(spans, max_size=3))),
        follows=tuple(draw(st.lists(follows, max_size=8, unique_by=lambda each: each.date))),
        holidays=tuple(draw(st.lists(holiday, max_size=4, unique_by=lambda each: each.date))),
    )
    wrong = {
        error.field.split(".")[2]
        for error in find_year_errors(year, dates, field="y")
        if error.field.startswith("y.follows")
    }
    kept = tuple(each for index, each in enumerate(dates.follows or ()) if str(index) not in wrong)
    return msgspec.structs.replace(dates, follows=kept)


@st.composite
def _lectures(draw: st.DrawFn) -> Lecture:
    start, end = sorted(draw(st.lists(st.sampled_from(CLOCKS), min_size=2, max_size=2, unique=True)))
    return lecture(
        module=draw(st.sampled_from(["ABC 123", "XYZ 210"])),
        offered=draw(st.sampled_from(["Q1", "Q2", "Q3", "Q4", "S1", "S2", "Y"])),
        group=draw(st.sampled_from(["G01", "P02"])),
        activity=draw(st.sampled_from(["L1", "L2", "P1"])),
        day=draw(st.sampled_from(DAYS[:6])),
        start=start,
        end=end,
    )


@functools.cache
def _holidays(year: int) -> frozenset[dt.date]:
    return frozenset(holidays.country_holidays("ZA", years=year))


def _walk(event: Lecture, year: int, dates: YearDates) -> Iterator[dt.datetime]:
    """Calculates the classes day by day, without the code under test."""
    offered: dict[str, tuple[Term, ...]] = {"Y": ("S1", "S2"), **{term: (term,) for term in (*QUARTERS, *SEMESTERS)}}
    named: list[Term] = [
        name for term in offered[event.offered] for name in ((term,) if term in dates.terms else SEMESTERS[term])
    ]
    spans = [(dates.terms[name].start, dates.terms[name].end) for name in named]
    free = set(_holidays(year)) | {h.date for h in dates.holidays or () if h.observed}
    free -= {h.date for h in dates.holidays or () if not h.observed}
    followed = {f.date: f.weekday for f in dates.follows or ()}
    for number in range(366):
        date = dt.date(year, 1, 1) + dt.timedelta(days=number)
        closed = any(p.start <= date <= p.end for p in (*(dates.recesses or ()), *(dates.no_lectures or ())))
        weekday = followed.get(date, f"{date:%A}")
        if any(a <= date <= b for a, b in spans) and not closed and date not in free and weekday == event.day:
            yield dt.datetime.fromisoformat(f"{date}T{event.start}")


@pytest.fixture(scope="module")
def javascript() -> Iterator[JavaScriptParsers]:
    """One process for all examples."""
    with javascript_parsers() as parsers:
        yield parsers


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.integers(2024, 2029))
def test_parsers_show_what_a_walk_through_the_days_finds(
    javascript: JavaScriptParsers, data: st.DataObject, year: int
) -> None:
    """Rules 3 to 6: holidays, recesses and gaps are left out. Followed days, first and last days are included."""
    dates = data.draw(_dates(year))
    lectures = data.draw(st.lists(_lectures(), min_size=1, max_size=4, unique=True))
    items = published(*lectures, year=AcademicYear(year, dates, public_holidays(year)))
    text = write(HEADER, items)
    expected = Counter(moment for event in set(lectures) for moment in _walk(event, year, dates))

    verify(text, items)
    content_lines(text)
    for starts in (by_icalendar(text), by_vobject(text), *javascript.starts(text).values()):
        assert Counter(moment for found in starts.values() for moment in found) == expected


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200), st.text(min_size=1, max_size=60))
def test_any_text_survives_writing_and_reading(room: str, name: str) -> None:
    """Rules 1 and 15 for unexpected text."""
    items = published(semester_test(venues=(room,), test=name))
    text = write(HEADER, items)

    verify(text, items)
    content_lines(text)
