"""Parses the printed forms of module, day, date and time."""

import datetime as dt
import re
from collections.abc import Sequence

from upschedule.pdf.cells import Line
from upschedule.timetable.event import DAYS, Day

_CLOCK = r"([01]?\d|2[0-3])[:hH.]([0-5]\d)"
PERIOD = re.compile(rf"{_CLOCK}\s*[-\u2013\u2014]\s*{_CLOCK}")
_TIME = re.compile(_CLOCK)
_DATE = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3})[A-Za-z]*[ -](\d{4})")
_GLUED_MODULE = re.compile(r"([A-Z]{3})(\d{3})")
_MODULE = re.compile(r"[A-Z]{3} \d{3}")
_ANY_MODULE = re.compile(r"[A-Z]{3} ?\d{3}")
#: The first and the last time at which anything starts.
_DAY_STARTS, _DAY_ENDS = "06:00", "21:30"
#: The end of a line that is broken within a word.
_BROKEN = re.compile(r"\w-$")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def joined(lines: Sequence[Line]) -> str:
    """A cell's lines as one text. A browser may break a line after the hyphen of a name such as `Maple 3-7`."""
    text = " ".join([line.text for line in lines])
    if "- " not in text:
        return text
    return "".join([line.text if _BROKEN.search(line.text) else f"{line.text} " for line in lines]).rstrip(" ")


def module_code(text: str) -> str:
    """`ABC 123`, also where the producer printed the gap without a blank."""
    glued = _GLUED_MODULE.fullmatch(text)
    return f"{glued[1]} {glued[2]}" if glued else text


def is_module(text: str) -> bool:
    return _MODULE.fullmatch(text) is not None


def clock_period(text: str) -> tuple[str, str] | None:
    """Start and end, `HH:MM`; None if it is not a period."""
    found = PERIOD.fullmatch(text)
    return (f"{found[1]:0>2}:{found[2]}", f"{found[3]:0>2}:{found[4]}") if found else None


def clock_time(text: str) -> str | None:
    """`HH:MM`; None if it is not a time."""
    found = _TIME.fullmatch(text)
    return f"{found[1]:0>2}:{found[2]}" if found else None


def weekday(text: str) -> Day | None:
    """The day by its full name, in any case."""
    return next((day for day in DAYS if day == text.capitalize()), None)


def calendar_date(text: str) -> dt.date | None:
    """`09 Aug 2025` or `03 NOV 2025`; None if there is no such day."""
    found = _DATE.fullmatch(text)
    if not found or found[2].lower() not in _MONTHS:
        return None
    try:
        return dt.date(int(found[3]), _MONTHS.index(found[2].lower()) + 1, int(found[1]))
    except ValueError:
        return None


def date_key(text: str) -> str:
    """The date in a form that sorts; empty if there is none."""
    date = calendar_date(text)
    return date.isoformat() if date else ""


def is_unusual_hour(start: str) -> bool:
    """Whether `HH:MM` is a time at which the university holds no classes, tests or exams."""
    return not _DAY_STARTS <= start <= _DAY_ENDS


def is_doubled(text: str) -> bool:
    """Whether a cell holds more than one module: two texts were printed over each other, or two rows became one."""
    return len(_ANY_MODULE.findall(text)) > 1
