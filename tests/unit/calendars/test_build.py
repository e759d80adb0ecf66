"""A calendar file is built again exactly when one of its sources has changed."""

import datetime as dt
import uuid
from typing import Any

import msgspec
import pytest
from icalendar import Calendar

from tests.support.builders.calendars import KNOWN, MOMENT, assembly, calendar
from tests.support.builders.timetable import exam, lecture, semester_test
from tests.support.calendar_parsers import content_lines
from upschedule.calendars.build import CalendarOptions, basis_of, build_feed, build_records
from upschedule.calendars.model import CalendarInputs, Choices
from upschedule.timetable.event import Event

OPTIONS = CalendarOptions(
    public_url="https://example.test", uid_domain="upschedule.app", exam_minutes=180, cancelled_days=30
)
SNAPSHOT = CalendarInputs(calendar=calendar(), known=KNOWN, documents=((uuid.UUID(int=1), MOMENT),))


@pytest.mark.parametrize(
    "changed",
    [
        msgspec.structs.replace(SNAPSHOT, calendar=calendar(choices=Choices(hidden_modules=("ABC 123",)))),
        msgspec.structs.replace(SNAPSHOT, calendar=calendar(name="Another")),
        msgspec.structs.replace(SNAPSHOT, known=msgspec.structs.replace(KNOWN, confirmed=True)),
        msgspec.structs.replace(SNAPSHOT, known=None),
        msgspec.structs.replace(SNAPSHOT, documents=()),
        msgspec.structs.replace(SNAPSHOT, documents=((uuid.UUID(int=1), MOMENT + dt.timedelta(seconds=1)),)),
    ],
)
def test_whatever_changes_makes_another_basis(changed: CalendarInputs) -> None:
    assert basis_of(changed, OPTIONS) != basis_of(SNAPSHOT, OPTIONS)


def test_equal_rows_and_settings_are_one_basis() -> None:
    other = msgspec.structs.replace(OPTIONS, exam_minutes=120)

    assert basis_of(msgspec.structs.replace(SNAPSHOT), OPTIONS) == basis_of(SNAPSHOT, OPTIONS)
    assert basis_of(SNAPSHOT, other) != basis_of(SNAPSHOT, OPTIONS)


def _feed(*events: Event, **changes: Any) -> bytes:
    built = assembly(*events, **changes)  # The events and the fields of a calendar.
    return build_feed(built, build_records(built, {}, OPTIONS, now=MOMENT).values(), options=OPTIONS)


def test_choices_reach_the_file() -> None:
    """Rules 11 and 12: the file has the chosen colours and reminders, and the defaults of all others."""
    choices = Choices(reminders={"lecture": (10,)}, colours={"ABC 123": "teal"})
    lines = content_lines(_feed(lecture(), semester_test(module="XYZ 210"), choices=choices))

    assert [value for name, _, value in lines if name == "TRIGGER"] == ["-PT10M", "-PT1H"]
    assert "teal" in [value for name, _, value in lines if name == "COLOR"]


def test_a_file_says_that_its_term_dates_are_not_confirmed() -> None:
    doubtful, settled = Calendar.from_ical(_feed(lecture())), Calendar.from_ical(_feed(exam()))

    assert "2026 are not confirmed" in str(doubtful["X-WR-CALDESC"])
    assert "not confirmed" not in str(settled["X-WR-CALDESC"])


def test_links_lead_to_the_entry_on_the_page() -> None:
    built = assembly(lecture())
    (event,) = Calendar.from_ical(_feed(lecture())).events

    assert event["URL"] == f"https://example.test/#{built.named[0][0]}"
