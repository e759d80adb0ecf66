"""Varied documents with known truth, one a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import msgspec

from tests.support.documents import transforms, writers
from tests.support.documents.flow import Flow, Placed
from tests.support.documents.schedules import KINDS, ROWS, Kind, Row
from tests.support.documents.writers import HELVETICA, VERA
from upschedule.timetable.event import Event, Lecture


@dataclass(slots=True)
class Document:
    """A PDF, the events that it says, the words that its warnings must contain, and how it was made."""

    data: bytes
    events: list[Event]
    pages: int
    made: list[str]
    warnings: list[str] = field(default_factory=list[str])
    #: A warning that there may be: whether a page seems full depends on the paper.
    possible: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Printed:
    """One schedule as printed."""

    data: bytes
    placed: list[Placed]
    pages: int
    made: str
    is_full: bool


def rows_of(rng: Random, kind: Kind, count: int) -> list[Row]:
    """Rows in the portal's order, by module or date; sometimes unsorted, as a person may have exported them."""
    rows = [ROWS[kind.title](rng) for _ in range(count)]
    if rng.random() < _UNSORTED_SHARE:
        return rows
    return sorted(rows, key=lambda row: _sort_key(row.events[0]))


def _sort_key(event: Event) -> str:
    return event.module if isinstance(event, Lecture) else event.date.isoformat()


def print_schedule(rng: Random, kind: Kind, rows: int) -> Printed:
    """Print rows of one kind with any of the producers."""
    producer = rng.choice(("portal", "portal", "lines", "path", "box"))
    fonts = rng.choice((HELVETICA, VERA)) if producer != "portal" else HELVETICA
    if fonts is VERA:
        writers.register_fonts()
        kind = replace(kind, size=kind.size * 0.74)
    flow = Flow(kind, fonts, rng)
    flow.lay_out(rows_of(rng, kind, rows))
    flow.close()
    portal = producer == "portal"
    data = writers.portal(flow.pages, rng) if portal else writers.driver(flow.pages, fonts, producer)
    return Printed(data, flow.placed, len(flow.pages), f"{kind.title} by {producer} in {fonts.regular}", flow.is_full)


def print_by_portal(kind: Kind, rows: Sequence[Row], rng: Random) -> Printed:
    """Print these rows as the portal does."""
    flow = Flow(kind, HELVETICA, rng)
    flow.lay_out(rows)
    flow.close()
    return Printed(
        writers.portal(flow.pages, rng), flow.placed, len(flow.pages), f"{kind.title} by portal", flow.is_full
    )


def schedule_of(seed: int, kind: Kind, *, rows: int) -> Document:
    """One schedule with so many rows, as a producer printed it."""
    return _without(print_schedule(Random(seed), kind, rows), 0)  # noqa: S311 - varied, not secret


def document(seed: int, *, rows_max: int = 40, may_lose_pages: bool = False) -> Document:
    """One to three schedules, merged and saved again, as the tools between portal and upload leave them.

    With `may_lose_pages`, a schedule can lack its first pages. The reader is free to refuse such a document, so tests
    that only need a document with a known result leave it off.
    """
    rng = Random(seed)  # noqa: S311 - varied, not secret
    kinds = rng.choices(KINDS, k=rng.choice((1, 1, 1, 2, 3)))
    parts: list[Document] = []
    for before, kind in zip((None, *kinds), kinds, strict=False):
        printed = print_schedule(rng, kind, rng.randint(1, rows_max))
        # After a full page of the same kind, missing pages cannot be detected.
        lost = rng.randint(0, printed.pages - 1) if kind is not before and rng.random() < _LOSING_SHARE else 0
        parts.append(_without(printed, lost if may_lose_pages else 0))
    made = parts[0]
    for part in parts[1:]:
        made.events += [msgspec.structs.replace(event, page=event.page + made.pages) for event in part.events]
        made.pages += part.pages
        made.made += part.made
        made.warnings += part.warnings
        made.possible += part.possible
    if len(parts) > 1:
        made.data = transforms.merge([part.data for part in parts])
    return _handled(rng, made)


def _without(printed: Printed, lost: int) -> Document:
    """The schedule without its first pages, unless no row begins after them."""
    kept = [row for row in printed.placed if row.page > lost]
    possible = ["fills this page"] if printed.is_full else []
    if not lost or not kept:
        events = [event for row in printed.placed for event in row.events]
        return Document(printed.data, events, printed.pages, [printed.made], possible=possible)
    events = [msgspec.structs.replace(event, page=event.page - lost) for row in kept for event in row.events]
    cut = any(row.page <= lost < page for row in printed.placed for page in row.more_pages)
    return Document(
        transforms.without_first_pages(printed.data, lost),
        events,
        printed.pages - lost,
        [printed.made, f"without {lost} pages"],
        ["start of the", "rest of a row"] if cut else ["start of the"],
        possible,
    )


def _handled(rng: Random, made: Document) -> Document:
    steps = [rng.choice(tuple(_MOVES)), *rng.choices(tuple(_SAVES), k=2)]
    for name in rng.sample(steps, k=rng.choice((0, 1, 1, 2, 3))):
        made.data = (_MOVES | _SAVES)[name](made.data)
        made.made.append(name)
    return made


_LOSING_SHARE = 0.25
_UNSORTED_SHARE = 0.2
#: Changes of the places of text, once a document: MuPDF draws a turned page as a form only in part.
_MOVES: dict[str, Callable[[bytes], bytes]] = {
    "Letter": lambda data: transforms.fit(data, transforms.LETTER),
    "on A4 upright": lambda data: transforms.fit(data, transforms.A4_PORTRAIT),
    "sideways": lambda data: transforms.fit(data, transforms.A4_PORTRAIT, turn=90),
    "sideways, other way": lambda data: transforms.fit(data, transforms.A4_PORTRAIT, turn=270),
    "upside down": lambda data: transforms.fit(data, transforms.LETTER, turn=180),
    "sideways with Rotate": lambda data: transforms.with_rotate(
        transforms.fit(data, transforms.A4_PORTRAIT, turn=270), 90
    ),
    "Rotate 90": lambda data: transforms.with_rotate(data, 90),
    "Rotate 180": lambda data: transforms.with_rotate(data, 180),
    "cropped": transforms.with_crop_box,
}
_SAVES: dict[str, Callable[[bytes], bytes]] = {
    "AES-128, empty password": transforms.encrypt,
    "AES-256, empty password": lambda data: transforms.encrypt(data, revision=6),
    "linearised": transforms.linearise,
    "object streams": transforms.with_object_streams,
    "saved by PDFium": transforms.resave_by_pdfium,
    "saved by MuPDF": transforms.resave_by_mupdf,
}


def stripped(events: Sequence[Event]) -> list[Event]:
    """Without boxes, which the truth does not hold."""
    return [msgspec.structs.replace(event, boxes=()) for event in events]
