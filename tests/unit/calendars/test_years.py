"""Dates of a year from an operator are accepted as a whole, or refused with the name of the wrong field."""

import datetime as dt

import msgspec
import pytest

from upschedule.calendars.years import InvalidAcademicYear, parse_year

GIVEN = {
    "source": "UP yearbook 2027, p. 4",
    "confirmed": True,
    "dates": {"terms": {"S1": {"start": "2027-02-08", "end": "2027-05-21"}}},
}


def test_the_dates_of_a_year_are_read() -> None:
    year, parsed = parse_year("2027", msgspec.json.encode(GIVEN))

    assert (year, parsed.confirmed, parsed.source) == (2027, True, "UP yearbook 2027, p. 4")
    assert parsed.dates.terms["S1"].end == dt.date(2027, 5, 21)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("twenty", {}, "not a year"),
        ("٢٠٢٧", {}, "not a year"),
        ("1999", {}, "dates.year"),
        ("9" * 5000, {}, "dates.year"),
        ("2026", {}, "not in 2026"),
        ("2027", {"dates": {"terms": {}}}, "at least one term"),
        ("2027", {"dates": {"terms": {"S1": {"start": "2027-05-21", "end": "2027-02-08"}}}}, "dates.terms.S1.end"),
        ("2027", {"dates": {"terms": {"S9": {"start": "2027-02-08", "end": "2027-05-21"}}}}, "S9"),
        ("2027", {"source": ""}, "source"),
        ("2027", {"confirmed": "yes"}, "confirmed"),
        ("2027", {"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_right_is_refused_whole(name: str, change: dict[str, object], message: str) -> None:
    """The checks are those of a student's own dates."""
    with pytest.raises(InvalidAcademicYear, match=message):
        parse_year(name, msgspec.json.encode(GIVEN | change))


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[" * 100_000, b"2027"])
def test_what_is_not_json_of_that_form_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidAcademicYear):
        parse_year("2027", value)
