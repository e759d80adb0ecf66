"""What was read against what was printed."""

import msgspec

from tests.support.documents.generate import Document
from upschedule.timetable.event import Event, Extraction


def is_right(document: Document, timetable: bytes) -> bool:
    """Whether every field of every event is as printed; their boxes on the page are for a person's eyes."""
    found = msgspec.json.decode(timetable, type=Extraction).events
    return [_printed(event) for event in found] == [_printed(event) for event in document.events]


def _printed(event: Event) -> Event:
    return msgspec.structs.replace(event, boxes=())
