"""Doubts of the reader, each beside the row that it concerns. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.timetable.event import Event, ReadingWarning


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What to check, and where it is printed: `lectures.pdf, page 1, row 3`."""

    message: str
    place: str


class Doubts(msgspec.Struct, frozen=True, kw_only=True):
    """`beside`: by entry id, those about a row of which an entry was made. `others` concern what no entry shows."""

    beside: Mapping[str, tuple[Remark, ...]] = {}
    others: tuple[Remark, ...] = ()


def remark(warning: ReadingWarning, *, document: str = "") -> Remark:
    """`document` is its name where several are shown together."""
    row = f"row {warning.row}" if warning.row else ""
    place = ", ".join(part for part in (document, f"page {warning.page}", row) if part)
    return Remark(message=warning.message, place=place)


def doubts(named: Sequence[tuple[str, Event]], warnings: Iterable[ReadingWarning], *, document: str) -> Doubts:
    """Of one document: `named` are the entries that come from it."""
    rows: dict[tuple[int, int | None], list[str]] = {}
    for entry_id, event in named:
        for box in event.boxes:
            rows.setdefault((box.page, box.row), []).append(entry_id)
    beside: dict[str, tuple[Remark, ...]] = {}
    others: list[Remark] = []
    for warning in warnings:
        said = remark(warning, document=document)
        # A row can be several classes: it is said beside the first only.
        concerned = rows.get((warning.page, warning.row), [])[:1] if warning.row else []
        for entry_id in concerned:
            beside[entry_id] = (*beside.get(entry_id, ()), said)
        others += [] if concerned else [said]
    return Doubts(beside=beside, others=tuple(others))


def joined(found: Iterable[Doubts]) -> Doubts:
    """Of several documents."""
    beside: dict[str, tuple[Remark, ...]] = {}
    others: tuple[Remark, ...] = ()
    for item in found:
        others += item.others
        for entry_id, remarks in item.beside.items():
            beside[entry_id] = beside.get(entry_id, ()) + remarks
    return Doubts(beside=beside, others=others)
