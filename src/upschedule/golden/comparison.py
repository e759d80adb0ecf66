"""Describes the differences between the golden documents and what a release read from them. Pure functions."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import msgspec

from upschedule.golden.published import PublishedEntry
from upschedule.timetable.event import Box, Event, Extraction
from upschedule.timetable.merge import identity

T = TypeVar("T", bound=msgspec.Struct)
#: Another build of the PDF library may place a word a fraction of a point aside.
_BOX_POINTS_MAX = 1.0


def extraction_differences(layout: str, expected: Extraction, read: Extraction) -> list[str]:
    """Compares every field of every event, the warnings and the number of pages."""
    found = event_differences(layout, expected.events, read.events)
    for field in ("warnings", "pages"):
        wanted, seen = getattr(expected, field), getattr(read, field)
        if wanted != seen:
            found.append(f"{layout}: {field}: {seen!r}, not {wanted!r}")
    return found


def event_differences(name: str, expected: Sequence[Event], found: Sequence[Event]) -> list[str]:
    """The differences between the events, including events in another order than on the pages."""
    lines = _differences(name, "events", expected, found, identity)
    if not lines and any(later < earlier for earlier, later in pairwise(_positions(expected, found))):
        lines.append(f"{name}: events: in another order than printed")
    return lines


def entry_differences(name: str, expected: Sequence[PublishedEntry], found: Sequence[PublishedEntry]) -> list[str]:
    """The differences between the entries in any order, because calendar programs sort entries themselves."""
    return _differences(name, "entries", expected, found, _entry_key)


def _entry_key(entry: PublishedEntry) -> tuple[str, ...]:
    return (entry.kind, entry.summary, entry.start)


def _positions(expected: Sequence[Event], found: Sequence[Event]) -> list[int]:
    place = {identity(event): number for number, event in enumerate(expected)}
    return [place[identity(event)] for event in found]


def _differences(
    name: str, plural: str, expected: Sequence[T], found: Sequence[T], key: Callable[[T], tuple[str, ...]]
) -> list[str]:
    wanted, seen = {key(each): each for each in expected}, {key(each): each for each in found}
    missing = [each for each in wanted if each not in seen]
    extra = [each for each in seen if each not in wanted]
    pairs = [(wanted[each], seen[each]) for each in wanted if each in seen]
    if len(missing) == len(extra):
        # The same ones, with a wrong value in a field that identifies them.
        pairs += [(wanted[before], seen[after]) for before, after in zip(missing, extra, strict=True)]
        missing, extra = [], []
    lines: list[str] = []
    if missing:
        lines.append(f"{name}: {plural}: {len(missing)} of {len(expected)} are missing, the first is {_text(missing)}")
    if extra:
        lines.append(f"{name}: {plural}: {len(extra)} are not in the document, the first is {_text(extra)}")
    if len(seen) != len(found):
        lines.append(f"{name}: {plural}: {len(found) - len(seen)} stand twice")
    return lines + [line for before, after in pairs for line in _fields(name, key(before), before, after)]


def _text(keys: Sequence[tuple[str, ...]]) -> str:
    return " ".join(keys[0])


def _fields(name: str, key: tuple[str, ...], expected: msgspec.Struct, found: msgspec.Struct) -> list[str]:
    return [
        f"{name}: {field} of {' '.join(key)}: {getattr(found, field, None)!r}, not {getattr(expected, field)!r}"
        for field in expected.__struct_fields__
        if not _equal(getattr(expected, field), getattr(found, field, None))
    ]


def _equal(expected: Any, found: Any) -> bool:
    if isinstance(expected, Box) and isinstance(found, Box):
        moved = (abs(getattr(expected, side) - getattr(found, side)) for side in ("left", "top", "right", "bottom"))
        return (expected.page, expected.row) == (found.page, found.row) and max(moved) <= _BOX_POINTS_MAX
    if isinstance(expected, tuple) and isinstance(found, tuple):
        return len(expected) == len(found) and all(map(_equal, expected, found))  # pyright: ignore[reportUnknownArgumentType]
    return bool(expected == found)
