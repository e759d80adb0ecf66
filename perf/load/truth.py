"""Documents that are sent under load, with what the service must answer."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.support.documents.comparing import is_right
from tests.support.documents.generate import Document, document, schedule_of
from tests.support.documents.schedules import EXAMS, TESTS

#: Made before the load begins. Each is sent by many people, and is read anew for each of them.
DOCUMENTS = 60
_ROWS = range(5, 40)


@dataclass(frozen=True)
class Sent:
    """`dated`: every event has a date of its own, so that a calendar can be made without a question to the student."""

    made: Document
    dated: bool

    @property
    def data(self) -> bytes:
        return self.made.data

    def is_read_right(self, timetable: bytes) -> bool:
        """Every field of every event is as printed."""
        return is_right(self.made, timetable)

    def is_published_right(self, feed: bytes) -> bool:
        """The feed is whole, and has one entry for each event."""
        return feed.rstrip().endswith(b"END:VCALENDAR") and feed.count(b"BEGIN:VEVENT") == len(self.made.events)


def documents(seed: int) -> Iterator[Sent]:
    """Endless and the same for the same seed: in turn a schedule of exams, one of tests, and a mixture."""
    return itertools.cycle(_made(seed))


def _made(seed: int) -> Sequence[Sent]:
    kinds = (EXAMS, TESTS, None)
    return [
        Sent(
            schedule_of(number, kind, rows=_ROWS[number % len(_ROWS)]) if kind else document(number),
            dated=kind is not None,
        )
        for number, kind in zip(range(seed, seed + DOCUMENTS), itertools.cycle(kinds), strict=False)
    ]
