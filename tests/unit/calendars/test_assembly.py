"""What a calendar shows of its documents, and which dates it needs."""

import datetime as dt

import msgspec
import pytest

from tests.support.builders.calendars import KNOWN, assembly, calendar, document
from tests.support.builders.timetable import exam, lecture, period, semester_test
from upschedule.calendars.assembly import CalendarAssembly, likeliest_year, needed_terms
from upschedule.calendars.model import Choices
from upschedule.timetable.academic_year import YearDates


def test_chosen_groups_leave_the_other_groups_and_no_test_out() -> None:
    events = [lecture(), lecture(group="G02"), lecture(module="XYZ 210"), semester_test()]
    shown = assembly(*events, choices=Choices(groups={"ABC 123": ("G02",)}))

    assert sorted(event.module for _, event in shown.visible) == ["ABC 123", "ABC 123", "XYZ 210"]
    assert lecture() not in dict(shown.visible).values()


def test_hidden_entries_and_modules_keep_their_ids_and_dates() -> None:
    whole = assembly(lecture(), exam(), exam(module="XYZ 210"))
    hidden = whole.named[0][0]
    shown = assembly(
        lecture(), exam(), exam(module="XYZ 210"), choices=Choices(hidden_events=(hidden,), hidden_modules=("XYZ 210",))
    )

    assert shown.named == whole.named
    assert shown.occurrences == whole.occurrences
    assert len(shown.visible) == 1
    assert hidden not in dict(shown.visible)


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
