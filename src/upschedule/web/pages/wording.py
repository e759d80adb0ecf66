"""Words that several parts of the page share."""

import collections
from collections.abc import Sequence

from upschedule.timetable.event import Event, Exam, Lecture


def counted(events: Sequence[Event]) -> str:
    """`30 weekly classes, 1 exam`."""
    counts = collections.Counter(map(_noun, events))
    return ", ".join(f"{count} {noun if count == 1 else _plural(noun)}" for noun, count in counts.items())


def _noun(event: Event) -> str:
    if isinstance(event, Lecture):
        return "weekly class"
    return "exam" if isinstance(event, Exam) else "test"


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"
