"""Reminders of entries, in minutes before the start."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from upschedule.timetable.text import EntryKind

#: Minutes before the start.
Reminders = Annotated[tuple[Annotated[int, Meta(ge=0, le=20160)], ...], Meta(max_length=5)]
DEFAULT_REMINDERS: Mapping[EntryKind, Reminders] = {
    "lecture": (), "practical": (), "tutorial": (), "test": (60,), "exam": (1440, 60),
}  # fmt: skip
