"""Tests what a calendar shows of its documents, and which dates it needs."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from tests.support.builders.calendars import KNOWN, assembly, calendar, document
from tests.support.builders.timetable import exam, lecture, period, semester_test
from upschedule.calendars.assembly import CalendarAssembly, likeliest_year, needed_terms
from upschedule.calendars.model import Choices, KnownYear
from upschedule.calendars.warnings import warnings
from upschedule.timetable.academic_year import YearDates
from upschedule.timetable.estimate import Estimate
from upschedule.timetable.event import Event


def test_chosen_groups_leave_the_other_groups_and_no_test_out() -> None:
    events = [lecture(), lecture(group="G02"), lecture(module="XYZ 210"), semester_test()]
    chosen = assembly(*events, choices=Choices(groups={"ABC 123": ("G02",)}))

    assert sorted(event.module for _, event in chosen.visible) == ["ABC 123", "ABC 123", "XYZ 210"]
    assert lecture() not in dict(chosen.visible).values()


def test_hidden_entries_and_modules_keep_their_ids_and_dates() -> None:
    whole = assembly(lecture(), exam(), exam(module="XYZ 210"))
    hidden = whole.named[0][0]
    chosen = assembly(
        lecture(), exam(), exam(module="XYZ 210"), choices=Choices(hidden_events=(hidden,), hidden_modules=("XYZ 210",))
    )

    assert chosen.named == whole.named
    assert chosen.occurrences == whole.occurrences
    assert len(chosen.visible) == 1
    assert hidden not in dict(chosen.visible)


def test_an_entry_comes_from_the_newest_document_that_prints_it() -> None:
    joined = CalendarAssembly(
        calendar(), KNOWN, (document(1, lecture(venues=("Old",))), document(2, lecture())), exam_minutes=180
    )

    assert [event for _, event in joined.named] == [lecture()]
    assert joined.source_of(lecture()).int == 2


def test_only_lectures_need_terms() -> None:
    events = [lecture(offered="Y"), lecture(offered="Q3"), lecture(offered="?"), exam()]

    assert needed_terms(events) == ("Q3", "S1", "S2")


@pytest.mark.parametrize(
    ("dates", "confirmed"),
    [
        (YearDates(), False),
        (YearDates(terms={"S1": period("2026-02-16", "2026-05-29")}), True),
        (YearDates(terms={"Q1": period("2026-02-16", "2026-03-27")}), False),
        (YearDates(terms={"Q1": period("2026-02-16", "2026-03-27"), "Q2": period("2026-03-30", "2026-05-29")}), True),
    ],
)
def test_dates_are_confirmed_by_the_owner_who_gave_them(dates: YearDates, *, confirmed: bool) -> None:
    assert assembly(lecture(), dates=dates).dates_confirmed is confirmed


def test_dates_are_confirmed_by_an_operator() -> None:
    assert assembly(lecture(), known=msgspec.structs.replace(KNOWN, confirmed=True)).dates_confirmed


def test_the_likeliest_year_is_that_of_most_dated_entries() -> None:
    today = dt.date(2027, 1, 2)
    earlier = semester_test(date=dt.date(2025, 9, 6))

    assert likeliest_year([lecture()], today) == 2027
    assert likeliest_year([lecture(), earlier, semester_test(), exam()], today) == 2026
    assert likeliest_year([earlier, semester_test()], today) == 2026


_ESTIMATE = Estimate(
    from_year=2026, terms={"S1": period("2027-02-08", "2027-05-21"), "S2": period("2027-07-12", "2027-10-15")}
)


def _of_2027(*events: Event, known: KnownYear | None = None, **changes: Any) -> CalendarAssembly:
    return CalendarAssembly(
        calendar(academic_year=2027, **changes), known, (document(1, *events),), exam_minutes=180, estimate=_ESTIMATE
    )


def test_an_estimate_fills_only_terms_that_are_needed_and_not_given() -> None:
    """The owner's dates of the first semester may contradict the estimate of the second, which is not needed."""
    own = YearDates(terms={"S1": period("2027-02-08", "2027-07-20")})
    whole = _of_2027(lecture(offered="Y"), dates=own)
    first = _of_2027(lecture(offered="S1"), dates=own)

    assert (whole.estimated_terms, whole.dates_confirmed) == (("S2",), False)
    assert whole.year.dates.terms == own.terms | {"S2": _ESTIMATE.terms["S2"]}
    assert (first.estimated_terms, first.dates_confirmed) == ((), True)
    assert first.year.dates.terms == own.terms


def test_dates_that_an_operator_enters_replace_the_estimate() -> None:
    known = msgspec.structs.replace(KNOWN, year=2027, dates=YearDates(terms={"S1": period("2027-02-15", "2027-05-28")}))
    found = _of_2027(lecture(), known=known)

    assert found.estimated_terms == ()
    assert found.year.periods("S1") == (period("2027-02-15", "2027-05-28"),)


def test_what_is_estimated_is_said() -> None:
    (estimated, recesses) = warnings(_of_2027(lecture(offered="S2")))

    assert (estimated.code, recesses.code) == ("dates-estimated", "recesses-unknown")
    assert "second semester (S2) in 2027" in estimated.message
    assert "2026" in estimated.message
