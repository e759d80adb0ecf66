"""A schedule of our own whose content is known: what a new release must read exactly before it is trusted with others.

`python -m tests.support.documents.golden` makes the files.
"""

from importlib import resources

import msgspec

from upschedule.timetable.event import Extraction


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """A document, and what it says, without boxes: where a word stands may differ by a fraction of a point."""

    document: bytes
    expected: Extraction

    def agrees(self, read: Extraction) -> bool:
        """Whether every event, warning and page is as expected."""
        return without_boxes(read) == self.expected


def load() -> Golden:
    """The one of this release: two pages, with a row that the page break cuts."""
    files = resources.files(__name__)
    expected = msgspec.json.decode(files.joinpath("lectures.json").read_bytes(), type=Extraction)
    return Golden(document=files.joinpath("lectures.pdf").read_bytes(), expected=expected)


def without_boxes(read: Extraction) -> Extraction:
    """What is compared."""
    return msgspec.structs.replace(
        read, events=tuple(msgspec.structs.replace(event, boxes=()) for event in read.events)
    )
