"""SEQUENCE, LAST-MODIFIED and cancellation follow the content of an entry."""

import datetime as dt

import msgspec

from tests.support.builders.timetable import published, semester_test
from upschedule.calendars.sequence import EntryRecord, update_records
from upschedule.timetable.entry import Entry
from upschedule.timetable.event import Event

FIRST = dt.datetime(2026, 2, 1, 10, 0, 0, 999, tzinfo=dt.UTC)
LATER = FIRST + dt.timedelta(days=1)


def _entry(event: Event) -> Entry:
    return published(event)[0].entry


def _updated(previous: dict[str, EntryRecord], *entries: Entry, now: dt.datetime = LATER) -> list[EntryRecord]:
    return list(update_records(previous, entries, now=now).values())


ENTRY, MOVED = _entry(semester_test()), _entry(semester_test(venues=("Elsewhere",)))
START = update_records({}, [ENTRY], now=FIRST)


def test_a_new_entry_begins_at_zero_with_whole_seconds() -> None:
    (record,) = START.values()

    assert (record.sequence, record.modified_at, record.cancelled_at) == (0, FIRST.replace(microsecond=0), None)


def test_an_unchanged_entry_stays_as_it_was_said() -> None:
    assert update_records(START, [ENTRY], now=LATER) == START


def test_a_changed_entry_rises_by_one() -> None:
    (record,) = _updated(START, MOVED)

    assert (record.sequence, record.modified_at, record.body) == (1, LATER.replace(microsecond=0), MOVED)


def test_a_removed_entry_is_cancelled_once() -> None:
    cancelled = update_records(START, [], now=LATER)
    (record,) = cancelled.values()

    assert (record.sequence, record.cancelled_at, record.body) == (1, LATER.replace(microsecond=0), ENTRY)
    assert record.published().cancelled
    assert update_records(cancelled, [], now=LATER + dt.timedelta(days=1)) == cancelled


def test_an_entry_that_comes_back_rises_again() -> None:
    (record,) = _updated(update_records(START, [], now=FIRST), ENTRY)

    assert (record.sequence, record.cancelled_at) == (2, None)


def test_times_are_written_in_utc_whatever_zone_the_server_answers_in() -> None:
    (record,) = START.values()
    local = record.modified_at.astimezone(dt.timezone(dt.timedelta(hours=2)))

    assert msgspec.structs.replace(record, modified_at=local).published() == record.published()
    assert record.published().modified_at.tzinfo is dt.UTC
