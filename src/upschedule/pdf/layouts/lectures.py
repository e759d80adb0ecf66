"""Reads Lectures: each row has a group's weekly classes, with one line for each class and room."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from upschedule.pdf.cells import Line
from upschedule.pdf.layouts.entry import Entry, Fields, Layout, Part
from upschedule.pdf.layouts.fields import (
    PERIOD,
    clock_period,
    is_doubled,
    is_module,
    is_unusual_hour,
    joined,
    module_code,
    weekday,
)
from upschedule.pdf.layouts.pairing import Wrapped, Wraps, beside, blanks_before, gather, join_wraps, learn_wraps
from upschedule.timetable.event import Box, Day, Lecture, ReadingWarning

_COLUMNS = ("module", "offered", "group", "lang", "activity", "day", "time", "venue", "campus", "studyprog")
#: The kind of group, printed in white after the language.
_KIND_LETTER = re.compile(r"(\S.*?)( ?)([A-Z])")
#: How a study programme begins: a degree or a number.
_PROGRAMME = re.compile(r"[BMD][A-Z]|LLB|Hons|\d{5,}")
#: The number of neighbouring classes in order that proves that the classes of a document are numbered.
_REGULAR_MIN = 8


class _Slot(NamedTuple):
    activity: str
    day: Day
    start: str
    end: str


class _Class(NamedTuple):
    """A printed class: what it says and the lines that say it."""

    slot: _Slot
    lines: list[Line]


def _recognises(fields: Fields) -> bool:
    days = [weekday(line.text) for line in fields["day"]]
    return bool(days) and all(days) and PERIOD.search(joined(fields["time"])) is not None


def _read(entries: Sequence[Entry]) -> Iterator[Lecture | ReadingWarning]:
    known = learn_wraps((entry.lines("venue"), len(entry.lines("time"))) for entry in entries)
    for entry in entries:
        yield from _lectures(entry, known)


def _lectures(entry: Entry, known: Wraps) -> Iterator[Lecture | ReadingWarning]:
    classes = _classes(entry)
    if not classes or not entry.lines("module") or is_doubled(entry.text("module")):
        yield entry.warning(
            "Module, activities, days and times of this row do not match line by line; it was left out."
        )
        return
    venues = _venues(entry, classes, known)
    if venues is None:
        printed = "; ".join(line.text for line in entry.lines("venue"))
        yield entry.warning(f"These venues cannot be matched with the row's classes and were left out: {printed}")
    yield from _warnings(entry, classes)
    for slot, (names, evidence) in _merged(classes, venues or [()] * len(classes)).items():
        if slot.end > slot.start:
            yield _lecture(entry, slot, names, evidence)
        else:
            yield entry.warning(
                f"{slot.activity} on {slot.day} ends at {slot.end}, before it starts ({slot.start}); it was left out."
            )


def _warnings(entry: Entry, classes: Sequence[_Class]) -> Iterator[ReadingWarning]:
    """Warns of each part that a row always has and this one lacks."""
    module = module_code(entry.text("module"))
    if not is_module(module):
        yield entry.warning(f"{module!r} is not a module code: check this row.")
    missing = [name for name in ("group", "campus") if not entry.lines(name)]
    if not all(each.slot.activity for each in classes):
        missing.append("activity")
    if missing:
        yield entry.warning(f"{module} has no {' and no '.join(missing)}: check this row.")
    for slot in {each.slot: None for each in classes if is_unusual_hour(each.slot.start)}:
        yield entry.warning(f"{module} starts at {slot.start} on {slot.day}: check the time of this class.")


def _sort_key(fields: Fields) -> str:
    module = module_code(joined(fields["module"]))
    return module if is_module(module) else ""


def _is_regular(rows: Iterable[Fields]) -> bool:
    """Whether the classes of each row are numbered in order, one day and time to each number."""
    steps = [_is_step(*pair) for fields in rows for pair in pairwise(_printed_classes(fields))]
    return len(steps) >= _REGULAR_MIN and all(steps)


def _printed_classes(fields: Mapping[str, Sequence[Line]]) -> list[tuple[str, str, str]]:
    """Activity, day and time line by line; nothing where their lines are not as many."""
    texts = [[line.text for line in fields[name]] for name in ("activity", "day", "time")]
    return list(zip(*texts, strict=True)) if len({len(lines) for lines in texts}) == 1 else []


def _is_step(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """Whether a class is the same as the one before it, or has the next number."""
    if one[0] == other[0]:
        return one == other
    numbers = one[0][1:], other[0][1:]
    return all(number.isdecimal() for number in numbers) and int(numbers[1]) == int(numbers[0]) + 1


def _is_whole(_entry: Entry) -> bool:
    """Nothing in the row of a lecture tells that its rest is missing."""
    return True


def _continues(entry: Entry, rest: Part, *, regular: bool) -> bool:
    """Whether the classes of the rest can follow those of the row: of one kind, and with the next number."""
    before = [line.text for line in entry.lines("activity")]
    after = [line.text for line in rest.fields["activity"]]
    if not before or not after:
        return True
    kinds = {text[:1] for text in before}, {text[:1] for text in after}
    if len(kinds[0]) == 1 and len(kinds[1]) == 1 and kinds[0] != kinds[1]:
        return False
    classes = _printed_classes(entry.parts[-1].fields)[-1:] + _printed_classes(rest.fields)[:1]
    return not regular or len(classes) < 2 or _is_step(*classes)  # noqa: PLR2004 - the two at the break


def _merged(classes: Sequence[_Class], venues: Sequence[Sequence[Line]]) -> dict[_Slot, tuple[list[str], list[Line]]]:
    """The venues of each class, whose rooms have a line each, and the lines that say so."""
    merged: dict[_Slot, tuple[list[str], list[Line]]] = {}
    for (slot, lines), venue in zip(classes, venues, strict=True):
        names, evidence = merged.setdefault(slot, ([], []))
        names += [joined(venue)] if venue else []
        evidence += [*lines, *venue]
    return merged


def _classes(entry: Entry) -> list[_Class] | None:
    times = gather(entry.lines("time"), PERIOD)
    if not times:
        return None
    activities = beside(times, entry.lines("activity"))
    days = beside(times, entry.lines("day"))
    if activities is None or days is None:
        return None
    classes: list[_Class] = []
    for time, activity, named_day in zip(times, activities, days, strict=True):
        period, day = clock_period(joined(time)), weekday(joined(named_day))
        if not period or not day:
            return None
        classes.append(_Class(_Slot(joined(activity), day, *period), [*activity, *named_day, *time]))
    return classes


def _venues(entry: Entry, classes: Sequence[_Class], known: Wraps) -> list[Wrapped] | None:
    lines = entry.lines("venue")
    blanks = blanks_before(lines, [each.lines[0] for each in classes])
    if len(lines) + sum(blanks) > len(classes):
        return join_wraps(lines, len(classes), known, blanks)
    return beside([each.lines for each in classes], lines)


def _lecture(entry: Entry, slot: _Slot, venues: Sequence[str], evidence: Sequence[Line]) -> Lecture:
    boxes = _boxes(entry, evidence)
    return Lecture(
        module=module_code(entry.text("module")),
        offered=entry.text("offered"),
        group=entry.text("group"),
        language=_language(entry),
        activity=slot.activity,
        day=slot.day,
        start=slot.start,
        end=slot.end,
        venues=tuple(venues),
        campus=entry.text("campus"),
        study_programmes=_study_programmes(entry.lines("studyprog")),
        page=boxes[0].page,
        boxes=boxes,
    )


def _language(entry: Entry) -> str:
    """The language without the kind letter, which is white and may come glued to it: `E` of `E L` or `EL`."""
    text, kind = entry.text("lang"), entry.text("activity")[:1]
    apart = _KIND_LETTER.fullmatch(text)
    if apart and (apart[2] or apart[3] == kind):
        return apart[1]
    return text


def _study_programmes(lines: Sequence[Line]) -> tuple[str, ...]:
    """One line each; a break inside a name is recognised by the next word, which would not have fitted."""
    programmes: list[Wrapped] = []
    for line in lines:
        if programmes and programmes[-1][-1].wraps_to(line) and not _PROGRAMME.match(line.text):
            programmes[-1].append(line)
        else:
            programmes.append([line])
    return tuple(joined(programme) for programme in programmes)


def _boxes(entry: Entry, evidence: Sequence[Line]) -> tuple[Box, ...]:
    """The smallest box around the lines, on each page."""
    boxes: list[Box] = []
    for part in entry.parts:
        rects = [line.rect for line in evidence if line.frame == part.row.frame]
        if rects:
            left, top, right, bottom = zip(*rects, strict=True)
            boxes.append(part.box((min(left), min(top), max(right), max(bottom))))
    return tuple(boxes)


LAYOUT = Layout(
    name="Lectures",
    columns=_COLUMNS,
    keys=("module", "offered", "group", "lang"),
    recognises=_recognises,
    sort_key=_sort_key,
    is_regular=_is_regular,
    is_whole=_is_whole,
    continues=_continues,
    read=_read,
)
