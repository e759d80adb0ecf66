"""Whether the reader handles a variant of a schedule right: the same for the tests and for `perf/variants.py`."""

from collections import Counter
from random import Random
from typing import NamedTuple

import msgspec

from tests.support.documents import variants
from tests.support.documents.generate import Printed, print_by_portal, rows_of
from tests.support.documents.reading import extract
from tests.support.documents.schedules import KINDS
from upschedule.pdf.errors import UnreadableDocument
from upschedule.timetable.event import Event, Extraction

#: A variant that moves pages needs several.
_PAGES_MIN = 2


class Outcome(NamedTuple):
    """Whether a variant was handled right, and what happened."""

    is_right: bool
    what: str


def schedule(seed: int) -> Printed:
    """A schedule of several pages; seeds take turns at the three kinds."""
    kind = KINDS[seed % len(KINDS)]
    for attempt in range(100):
        rng = Random(seed * 100 + attempt)  # noqa: S311 - varied, not secret
        printed = print_by_portal(kind, rows_of(rng, kind, rng.randint(8, 40)), rng)
        if printed.pages >= _PAGES_MIN:
            return printed
    raise AssertionError(seed)


def try_same(name: str, seed: int) -> Outcome:
    """Every event is read, and no other."""
    printed = schedule(seed)
    read = _read(variants.SAME[name](printed.data, Random(seed)))  # noqa: S311 - varied, not secret
    if isinstance(read, UnreadableDocument):
        return Outcome(is_right=False, what=f"{read.code}: {read.detail}")
    lost, invented = _difference(printed, read)
    return Outcome(not lost and not invented, f"{lost} lost, {invented} invented, {_messages(read)}")


def try_safe(name: str, seed: int) -> Outcome:
    """The document is refused, or read without an invented event: exactly, or with a warning."""
    printed = schedule(seed)
    data = variants.SAFE[name](printed.data, Random(seed))  # noqa: S311 - varied, not secret
    read = _read(data)
    if isinstance(read, UnreadableDocument):
        return Outcome(is_right=True, what=f"{read.code}: {read.detail}")
    lost, invented = _difference(printed, read)
    return Outcome(
        not invented and bool(not lost or read.warnings), f"{lost} lost, {invented} invented, {_messages(read)}"
    )


def try_refused(name: str, seed: int) -> Outcome:
    """The document is refused for its own cause."""
    variant, code = variants.REFUSED[name]
    read = _read(variant(schedule(seed).data, Random(seed)))  # noqa: S311 - varied, not secret
    if isinstance(read, UnreadableDocument):
        return Outcome(read.code == code, f"{read.code}: {read.detail}")
    return Outcome(is_right=False, what=f"{len(read.events)} events were read")


def _read(data: bytes) -> Extraction | UnreadableDocument:
    try:
        return extract(data)
    except UnreadableDocument as error:
        return error


def _difference(printed: Printed, read: Extraction) -> tuple[int, int]:
    """How many events are lost, and how many are there that the schedule does not have."""
    wanted = Counter(_text(event) for row in printed.placed for event in row.events)
    found = Counter(map(_text, read.events))
    return (wanted - found).total(), (found - wanted).total()


def _text(event: Event) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(event, boxes=(), page=0))


def _messages(read: Extraction) -> str:
    return "; ".join(warning.message for warning in read.warnings[:3])
