"""Indexes entries by their dates and hours.

All classes of one weekday have the same dates, so hours are compared once for all of them, not date by date.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from upschedule.planning.search import Occupied
from upschedule.timetable.edits import OwnEvent
from upschedule.timetable.event import Event, Lecture
from upschedule.timetable.occurrences import Occurrence
from upschedule.timetable.text import campus_of

MINUTES_PER_SLOT = 5
Dates = frozenset[dt.date]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, held at the same hours on all of its dates: minutes after midnight. Wishes are about classes only."""

    dates: Dates
    start: int
    end: int
    campus: str
    is_class: bool

    def overlaps(self, other: "Held") -> bool:
        """Whether the hours overlap. Touching is no overlap."""
        return self.start < other.end and other.start < self.end


def held(event: Event | OwnEvent, found: Sequence[Occurrence]) -> Held:
    """`found`: its occurrences, at least one. Where an own entry is held is not known."""
    first = found[0]
    start = first.start.hour * 60 + first.start.minute
    return Held(
        dates=frozenset(occurrence.start.date() for occurrence in found),
        start=start,
        end=start + int((first.end - first.start).total_seconds()) // 60,
        campus="" if isinstance(event, OwnEvent) else campus_of(event),
        is_class=isinstance(event, Lecture),
    )


class Days:
    """Days in kinds: days of one kind have the same classes to choose from. `numbers`: how many there are of each."""

    def __init__(self, found: Iterable[Dates]) -> None:
        different = sorted(set(found), key=sorted)
        kinds: dict[frozenset[int], list[dt.date]] = {}
        for date in sorted(frozenset[dt.date]().union(*different)):
            kinds.setdefault(frozenset(n for n, dates in enumerate(different) if date in dates), []).append(date)
        self.numbers = tuple(len(dates) for dates in kinds.values())
        self._of_dates = {
            dates: [day for day, numbers in enumerate(kinds) if n in numbers] for n, dates in enumerate(different)
        }

    def occupied(self, found: Iterable[Held]) -> Occupied:
        slots: dict[int, int] = {}
        for held in found:
            if held.is_class:
                first, last = held.start // MINUTES_PER_SLOT, -(-held.end // MINUTES_PER_SLOT)
                for day in self._of_dates[held.dates]:
                    slots[day] = slots.get(day, 0) | ((1 << last) - (1 << first))
        return slots


def monday(date: dt.date) -> dt.date:
    """The first day of its week."""
    return date - dt.timedelta(days=date.weekday())


def gap_slots(occupied: int) -> int:
    """Slots between the first and the last one that are free. `occupied` is not empty."""
    return occupied.bit_length() - (occupied & -occupied).bit_length() + 1 - occupied.bit_count()
