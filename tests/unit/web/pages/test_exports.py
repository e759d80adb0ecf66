"""Dates as tables."""

import csv
import io

from tests.support.builders.calendars import assembly
from tests.support.builders.timetable import exam, lecture
from upschedule.timetable.event import Event
from upschedule.web.pages.days import planned_days
from upschedule.web.pages.exports import as_csv, exported


def _rows(*events: Event) -> list[dict[str, str]]:
    table = as_csv(exported(planned_days(assembly(*events), frozenset())))
    return list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))


def test_each_date_is_a_row_in_time_order() -> None:
    rows = _rows(lecture(), lecture(day="Friday", activity="L2"), exam())
    assert len(rows) == 13 + 13 + 1
    assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)
    assert {row["kind"] for row in rows} == {"class", "exam"}
    assert [row["end_assumed"] for row in rows if row["kind"] == "exam"] == ["yes"]


def test_no_cell_is_a_formula() -> None:
    """The texts come from files of unknown origin."""
    (first, *_) = _rows(lecture(venues=("=HYPERLINK(1)",), activity="@L1", group="-G"))
    assert (first["venues"], first["title"], first["group"]) == ("'=HYPERLINK(1)", "'@L1", "'-G")


def test_a_calendar_without_dates_is_an_empty_table() -> None:
    assert _rows() == []
