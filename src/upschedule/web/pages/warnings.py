"""Assigns each warning of the reader to the entry of the row that it names. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.timetable.event import Event, ReadingWarning


class PlacedWarning(msgspec.Struct, frozen=True, kw_only=True):
    """What to check, and where it is printed: `lectures.pdf, page 1, row 3`."""

    message: str
    place: str


class EntryWarnings(msgspec.Struct, frozen=True, kw_only=True):
    """`beside`: warnings about the row of an entry, by entry id. `others`: warnings about rows that gave no entry."""

    beside: Mapping[str, tuple[PlacedWarning, ...]] = {}
    others: tuple[PlacedWarning, ...] = ()


def placed_warning(warning: ReadingWarning, *, document: str = "") -> PlacedWarning:
    """`document` is the name of the document, if several are shown together."""
    row = f"row {warning.row}" if warning.row else ""
    place = ", ".join(part for part in (document, f"page {warning.page}", row) if part)
    return PlacedWarning(message=warning.message, place=place)


def entry_warnings(
    named: Sequence[tuple[str, Event]], warnings: Iterable[ReadingWarning], *, document: str
) -> EntryWarnings:
    """The warnings of one document; `named` are the entries that come from it."""
    rows: dict[tuple[int, int | None], list[str]] = {}
    for entry_id, event in named:
        for box in event.boxes:
            rows.setdefault((box.page, box.row), []).append(entry_id)
    beside: dict[str, tuple[PlacedWarning, ...]] = {}
    others: list[PlacedWarning] = []
    for warning in warnings:
        placed = placed_warning(warning, document=document)
        # A row can be several classes: the warning goes beside the first only.
        concerned = rows.get((warning.page, warning.row), [])[:1] if warning.row else []
        for entry_id in concerned:
            beside[entry_id] = (*beside.get(entry_id, ()), placed)
        others += [] if concerned else [placed]
    return EntryWarnings(beside=beside, others=tuple(others))


def joined_warnings(found: Iterable[EntryWarnings]) -> EntryWarnings:
    """The warnings of several documents together."""
    beside: dict[str, tuple[PlacedWarning, ...]] = {}
    others: tuple[PlacedWarning, ...] = ()
    for item in found:
        others += item.others
        for entry_id, warnings in item.beside.items():
            beside[entry_id] = beside.get(entry_id, ()) + warnings
    return EntryWarnings(beside=beside, others=others)
