"""A load test counts an answer as wrong if a single field differs."""

import itertools

import msgspec

from perf.load.truth import DOCUMENTS, Sent, documents
from upschedule.timetable.event import Extraction


def _timetable(sent: Sent, *, venue: str | None = None) -> bytes:
    first, *rest = sent.made.events
    changed = first if venue is None else msgspec.structs.replace(first, venues=(venue,))
    return msgspec.json.encode(Extraction(events=(changed, *rest), pages=sent.made.pages))


def test_every_field_of_a_timetable_counts() -> None:
    sent = next(documents(133))
    assert sent.is_read_right(_timetable(sent))
    assert not sent.is_read_right(_timetable(sent, venue="Another hall"))


def test_a_feed_lacks_no_entry_and_no_end() -> None:
    sent = next(documents(133))
    entries = b"BEGIN:VEVENT\r\nEND:VEVENT\r\n" * len(sent.made.events)
    feed = b"BEGIN:VCALENDAR\r\n" + entries + b"END:VCALENDAR\r\n"
    assert sent.is_published_right(feed)
    assert not sent.is_published_right(feed.replace(b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"", 1))
    assert not sent.is_published_right(feed.removesuffix(b"END:VCALENDAR\r\n"))


def test_the_documents_differ_and_come_again_in_the_same_order() -> None:
    twice = list(itertools.islice(documents(133), 2 * DOCUMENTS))
    assert len({sent.data for sent in twice}) == DOCUMENTS
    assert twice[:DOCUMENTS] == twice[DOCUMENTS:]
