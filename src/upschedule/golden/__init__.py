"""The golden documents: schedules with known content, which a new release must read exactly before it is promoted.

`python -m tests.support.documents.golden` makes the files.
"""

from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

import msgspec

from upschedule.golden.comparison import entry_differences, extraction_differences
from upschedule.golden.published import PublishedEntry, published_entries
from upschedule.timetable.event import Extraction

Layout = Literal["lectures", "tests", "exams"]
LAYOUTS: tuple[Layout, ...] = ("lectures", "tests", "exams")


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """A document of one of the portal's layouts and all that it says."""

    layout: Layout
    document: bytes
    expected: Extraction

    def differences(self, read: Extraction) -> list[str]:
        """One sentence for each field that is not as expected; it names the layout and the field."""
        return extraction_differences(self.layout, self.expected, read)


class GoldenCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of a calendar of all golden documents. `academic_year`, as the API takes it, has fixed dates."""

    academic_year: Mapping[str, Any]
    entries: tuple[PublishedEntry, ...]

    def differences(self, name: str, file: bytes) -> list[str]:
        """Like `Golden.differences`, for the calendar file with this name."""
        try:
            found = published_entries(file)
        except ValueError as error:
            return [f"{name}: is not a calendar: {error}"]
        return entry_differences(name, self.entries, found)


class GoldenSet(msgspec.Struct, frozen=True, kw_only=True):
    """One document for each layout, and their calendar."""

    documents: tuple[Golden, ...]
    calendar: GoldenCalendar


def load() -> GoldenSet:
    """The golden documents of this release. Each has several pages, both semesters and a page that ends amid rows."""
    files = resources.files(__name__)
    documents = tuple(
        Golden(
            layout=layout,
            document=files.joinpath(f"{layout}.pdf").read_bytes(),
            expected=msgspec.json.decode(files.joinpath(f"{layout}.json").read_bytes(), type=Extraction),
        )
        for layout in LAYOUTS
    )
    calendar = msgspec.json.decode(files.joinpath("calendar.json").read_bytes(), type=GoldenCalendar)
    return GoldenSet(documents=documents, calendar=calendar)
