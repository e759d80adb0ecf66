"""The golden document: a schedule with known content, which a new release must read exactly before it is promoted.

`python -m tests.support.documents.golden` makes the files.
"""

from importlib import resources

import msgspec

from upschedule.timetable.event import Extraction


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """A document and its expected events. Boxes are left out: positions may differ by a fraction of a point."""

    document: bytes
    expected: Extraction

    def agrees(self, read: Extraction) -> bool:
        """Whether every event, warning and page is as expected."""
        return without_boxes(read) == self.expected


def load() -> Golden:
    """The golden document of this release: two pages, with a row that the page break cuts."""
    files = resources.files(__name__)
    expected = msgspec.json.decode(files.joinpath("lectures.json").read_bytes(), type=Extraction)
    return Golden(document=files.joinpath("lectures.pdf").read_bytes(), expected=expected)


def without_boxes(read: Extraction) -> Extraction:
    """The extraction without boxes, for comparison."""
    return msgspec.structs.replace(
        read, events=tuple(msgspec.structs.replace(event, boxes=()) for event in read.events)
    )
