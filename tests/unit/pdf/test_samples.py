"""Real schedules where they are available, and generated ones of the same size elsewhere."""

import hashlib
from random import Random

import msgspec
import pytest

from tests.support.documents.generate import print_by_portal, stripped
from tests.support.documents.reading import extract
from tests.support.documents.schedules import LECTURES, ROWS, TESTS, Kind
from tests.support.paths import SHARED
from upschedule.timetable.event import Event

SAMPLES = SHARED / "samples"
#: Digests of the events that a person read from the printed pages, as JSON without boxes.
DIGESTS = {
    "lectures": "c6f5779ca2ee026bcf130359473319be1431eed81ffd7b0bd4c858197eb1e906",
    "tests": "bec97e5dafc82e3c4d037b67b5d641f32d1945cdda996decde791b0da525eaa0",
}
KINDS: dict[str, Kind] = {"lectures": LECTURES, "tests": TESTS}


def digest(events: list[Event]) -> str:
    return hashlib.sha256(msgspec.json.encode(events)).hexdigest()


def document_and_truth(name: str) -> tuple[bytes, str]:
    """The real file and its digest. Without it, a generated document with the same number of rows."""
    real = SAMPLES / f"{name}.pdf"
    if real.exists():
        return real.read_bytes(), DIGESTS[name]
    rng = Random(name)  # noqa: S311 - varied, not secret
    kind = KINDS[name]
    printed = print_by_portal(kind, [ROWS[kind.title](rng) for _ in range(25)], rng)
    return printed.data, digest([event for row in printed.placed for event in row.events])


@pytest.mark.parametrize("name", KINDS)
def test_a_schedule_of_the_portal_is_read_exactly(name: str) -> None:
    data, truth = document_and_truth(name)

    extraction = extract(data)

    assert digest(stripped(extraction.events)) == truth
    assert extraction.warnings == ()
