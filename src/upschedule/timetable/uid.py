"""UIDs of calendar entries, equal after every upload. A change of this scheme duplicates the entries of all users.

See docs/decisions/0004-uids.md.
"""

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Iterable

from upschedule.timetable.event import DAYS, Event, Exam, Lecture, Test

_HEX_DIGITS = 32
_LAST_MONTH_OF_FIRST_HALF = 6


def entry_ids(events: Iterable[Event], *, calendar_id: str, year: int) -> list[tuple[str, Event]]:
    """Each event with its id, the part of the UID before the `@`, in the order of the weekly or dated slots.

    An id is made of what a move to another room or hour leaves as it is; `year` is the academic year of lectures.
    """
    slots: Counter[tuple[str, ...]] = Counter()
    named: list[tuple[str, Event]] = []
    for event in sorted(events, key=slot_order):
        key = name_of(event, year)
        slots[key] += 1
        named.append((_digest(calendar_id, *key, str(slots[key])), event))
    return named


def followed_id(entry_id: str, date: dt.date) -> str:
    """The id of a class on one day that follows another weekday's timetable (an event of its own)."""
    return _digest(entry_id, "follows", date.isoformat())


def own_id(calendar_id: str, own: str) -> str:
    """The id of an entry that the owner of a calendar added."""
    return _digest(calendar_id, "own", own)


def name_of(event: Event, year: int) -> tuple[str, ...]:
    """What names an entry however it moves, its kind and module first. Weekly slots of one activity share it."""
    match event:
        case Lecture():
            words = ("lecture", event.module, event.group, event.activity, str(year), event.offered)
        case Test():
            words = ("test", event.module, "", event.test, str(event.date.year), _half(event.date))
        case Exam():
            words = ("exam", event.module, event.paper, event.activity, str(event.date.year), _half(event.date))
    # Another producer may space or write a name differently; it is the same name.
    return tuple("".join(word.split()).upper() for word in words)


def _half(date: dt.date) -> str:
    """A dated entry prints no term, and a module taught twice a year has a first test in each half."""
    return "S1" if date.month <= _LAST_MONTH_OF_FIRST_HALF else "S2"


def slot_order(event: Event) -> tuple[str, ...]:
    """The order in which entries of one name are numbered."""
    if isinstance(event, Lecture):
        return (str(DAYS.index(event.day)), event.start, event.end, event.language)
    return (event.date.isoformat(), event.start)


def _digest(*words: str) -> str:
    # JSON keeps the borders between the words, so that no two lists of words meet.
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:_HEX_DIGITS]
