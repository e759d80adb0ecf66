"""The dates form."""

import datetime as dt

import pytest

from upschedule.calendars.model import YearChoice
from upschedule.timetable.academic_year import Period, YearDates
from upschedule.web.http.errors import InvalidRequest
from upschedule.web.pages.dates import year_choice

_TERM = [("S2_start", "2026-07-13"), ("S2_end", "2026-10-16")]


def _period(start: str, end: str) -> Period:
    return Period(start=dt.date.fromisoformat(start), end=dt.date.fromisoformat(end))


def test_the_year_is_that_of_the_terms() -> None:
    """Nobody has to choose it apart."""
    chosen = year_choice(_TERM, YearDates())
    assert chosen.year == 2026
    assert chosen.dates.terms == {"S2": _period("2026-07-13", "2026-10-16")}


def test_recesses_come_in_order_and_empty_ones_are_none() -> None:
    """A row that is left empty, or emptied, is no recess."""
    form = [
        *_TERM,
        ("recess1_start", "2026-10-01"), ("recess1_end", "2026-10-04"),
        ("recess2_start", ""), ("recess2_end", ""),
        ("recess0_start", "2026-08-08"), ("recess0_end", "2026-08-16"),
    ]  # fmt: skip
    recesses = (_period("2026-08-08", "2026-08-16"), _period("2026-10-01", "2026-10-04"))
    assert year_choice(form, YearDates()).dates.recesses == recesses


def test_other_dates_of_the_calendar_stay() -> None:
    """The page asks for terms and recesses only."""
    before = YearDates(no_lectures=(_period("2026-08-01", "2026-08-01"),))
    assert year_choice(_TERM, before).dates.no_lectures == before.no_lectures


def test_an_empty_form_chooses_no_year() -> None:
    assert year_choice([], YearDates()) == YearChoice(year=None, dates=YearDates(recesses=()))


@pytest.mark.parametrize("form", [[("S2_start", "2026-07-13")], [("S2_start", "13 July"), ("S2_end", "2026-10-16")]])
def test_half_a_period_is_refused_by_name(form: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        year_choice(form, YearDates())
    assert [error.field for error in refused.value.errors] == ["S2"]
