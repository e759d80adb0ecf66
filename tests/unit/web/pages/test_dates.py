"""The form of term dates and recesses."""

import datetime as dt

import msgspec
import pytest

from tests.support.builders.calendars import KNOWN, assembly
from tests.support.builders.events import a_lecture
from upschedule.calendars.model import YearChoice
from upschedule.calendars.previews import YearAdvice, advise
from upschedule.errors import FieldError
from upschedule.timetable.academic_year import Period, YearDates
from upschedule.web.http.errors import InvalidRequest
from upschedule.web.pages.dates import complaint, dates_of, refused_dates, year_choice

_TERM = [("S2_start", "2026-07-13"), ("S2_end", "2026-10-16")]


def _period(start: str, end: str) -> Period:
    return Period(start=dt.date.fromisoformat(start), end=dt.date.fromisoformat(end))


def test_the_year_is_that_of_the_terms() -> None:
    """The year needs no separate field."""
    chosen = year_choice(_TERM, YearDates())
    assert chosen.year == 2026
    assert chosen.dates.terms == {"S2": _period("2026-07-13", "2026-10-16")}


def test_recesses_come_in_order_and_empty_ones_are_none() -> None:
    """An empty row is not a recess, even if it had dates before."""
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


def test_a_proposed_recess_counts_only_once_it_is_ticked() -> None:
    """A missing class does more harm than an unnecessary one."""
    proposed = [("proposed1_start", "2026-09-26"), ("proposed1_end", "2026-10-04"), ("proposed1_name", "Spring recess")]
    assert year_choice([*_TERM, *proposed], YearDates()).dates.recesses == ()
    ticked = year_choice([*_TERM, *proposed, ("proposed1_use", "yes")], YearDates()).dates.recesses
    assert ticked == (msgspec.structs.replace(_period("2026-09-26", "2026-10-04"), name="Spring recess"),)


def test_the_form_shows_terms_with_their_names_and_a_recess_to_confirm() -> None:
    calendar = assembly(a_lecture())
    view = dates_of(calendar, advise(calendar, [KNOWN], dt.date(2026, 7, 1)))
    assert [(term.title, term.start) for term in view.terms] == [("second semester (S2)", "2026-07-13")]
    assert [(row.key, row.start, row.proposed) for row in view.recesses] == [
        ("proposed1", "2026-09-26", True),
        ("recess0", "", False),
    ]
    assert (view.confirmed, view.estimated_from, view.source, view.missing) == (
        False,
        None,
        "A yearbook",
        False,
    )


def test_a_refused_form_keeps_what_was_typed_and_says_what_is_wrong_beside_it() -> None:
    """The service numbers recesses by their first days, and the form by its rows."""
    calendar = assembly(a_lecture(), dates=YearDates(recesses=(_period("2026-10-01", "2026-10-04"),)))
    view = dates_of(calendar, YearAdvice(today=dt.date(2026, 7, 1)))
    form = [
        ("S2_start", "2026-07-20"), ("S2_end", "2026-07-01"),
        ("recess1_start", "2026-10-01"), ("recess1_end", "2026-09-01"),
        ("recess0_start", "2026-08-08"), ("recess0_end", "2026-08-16"),
    ]  # fmt: skip
    errors = [
        FieldError(field="academic_year.terms.S2.end", detail="The end is before the start."),
        FieldError(field="academic_year.recesses.1.end", detail="Also before."),
    ]
    refused = refused_dates(view, form, errors)
    assert [(term.start, term.end, term.error) for term in refused.terms] == [
        ("2026-07-20", "2026-07-01", "The end is before the start.")
    ]
    assert [(row.key, row.start, row.error) for row in refused.recesses] == [
        ("recess1", "2026-10-01", "Also before."),
        ("recess0", "2026-08-08", ""),
    ]
    assert complaint(refused, "") == "Second semester (S2): The end is before the start. Recess: Also before."
    assert complaint(view, "Too many.") == "Too many."
