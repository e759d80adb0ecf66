"""Doubts of the reader, each beside the row that it concerns. Pure."""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from upschedule.timetable.event import Event, ReadingWarning

EventT_co = TypeVar("EventT_co", bound=Event, covariant=True)


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What to check, and where it is printed."""

    message: str
    place: str


class Remarked(msgspec.Struct, Generic[EventT_co], frozen=True, kw_only=True):
    """An event and what is doubtful about it."""

    event: EventT_co
    remarks: tuple[Remark, ...] = ()


def remarks(warnings: Sequence[ReadingWarning], *, document: str = "") -> tuple[Remark, ...]:
    """In the order of the pages; `document` is its name where several are shown together."""
    return tuple(Remark(message=warning.message, place=_place(warning, document)) for warning in warnings)


def _place(warning: ReadingWarning, document: str) -> str:
    parts = [document, f"page {warning.page}", f"row {warning.row}" if warning.row else ""]
    return ", ".join(part for part in parts if part)
