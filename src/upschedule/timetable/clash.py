"""Finds clashes: pairs of entries that one person cannot both attend."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from upschedule.timetable.edits import OwnEvent
from upschedule.timetable.event import Event, Lecture
from upschedule.timetable.occurrences import Occurrence

#: Bounds the work by the number of overlaps examined: a pair overlaps at most daily through a year.
_OVERLAPS_PER_PAIR = 300


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Two entries by their ids, and the dates on which they overlap."""

    events: tuple[str, str]
    dates: tuple[dt.date, ...]


def clashes(
    events: Mapping[str, Event | OwnEvent], occurrences: Mapping[str, Sequence[Occurrence]], *, pairs_max: int
) -> tuple[Clash, ...]:
    """The earliest clashes, at most `pairs_max`: nearly all groups of a large document would clash.

    Groups of one activity are alternatives, so that their overlap is none; touching is none either.
    """
    found: defaultdict[tuple[str, str], list[dt.date]] = defaultdict(list)
    for first, second, date in islice(_overlaps(occurrences), pairs_max * _OVERLAPS_PER_PAIR):
        pair = (min(first, second), max(first, second))
        if (pair in found or len(found) < pairs_max) and not _alternatives(events[first], events[second]):
            found[pair].append(date)
    return tuple(Clash(events=pair, dates=tuple(sorted(dates))) for pair, dates in sorted(found.items()))


def _overlaps(occurrences: Mapping[str, Sequence[Occurrence]]) -> Iterator[tuple[str, str, dt.date]]:
    running: list[tuple[dt.datetime, str]] = []
    for start, end, entry_id in sorted((o.start, o.end, key) for key, found in occurrences.items() for o in found):
        running = [(other_end, other) for other_end, other in running if other_end > start]
        for _, other in running:
            yield other, entry_id, start.date()
        running.append((end, entry_id))


def _alternatives(first: Event | OwnEvent, second: Event | OwnEvent) -> bool:
    if not (isinstance(first, Lecture) and isinstance(second, Lecture)):
        return False
    same_activity = first.activity[:1] == second.activity[:1]
    return first.module == second.module and same_activity and first.group != second.group
