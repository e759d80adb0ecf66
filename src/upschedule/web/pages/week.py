"""The weekly classes as a grid: where each class is placed. Pure; the template only prints it."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from upschedule.timetable.event import DAYS, Day, Lecture

#: Grid lines are five minutes apart: every printed time falls on one.
MINUTES_PER_LINE = 5
#: A day is so many columns wide, which two to six parallel classes share evenly.
COLUMNS = 60
#: Lines of a grid that shows a whole day.
LINES_MAX = 24 * 60 // MINUTES_PER_LINE

_FIRST_TERM, _SECOND_TERM = frozenset({"S1", "Q1", "Q2"}), frozenset({"S2", "Q3", "Q4"})
_WORKING_DAYS = 5
_LINES_PER_HOUR = 60 // MINUTES_PER_LINE
#: More parallel classes than these leave no width for rooms.
_LANES_ROOMY = 2

#: A class with the id of its entry.
NamedLecture = tuple[str, Lecture]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A class and its place: `first_line`, `last_line` down the day, `first_column`, `last_column` across it."""

    entry_id: str
    lecture: Lecture
    first_line: int
    last_line: int
    first_column: int
    last_column: int
    crowded: bool

    @property
    def in_every_week(self) -> bool:
        return not _term(self.lecture)


class WeekDay(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the grid, its classes in time order."""

    name: Day
    slots: tuple[Slot, ...]


class HourMark(msgspec.Struct, frozen=True, kw_only=True):
    """A full hour at the edge of the grid."""

    label: str
    line: int


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """The typical week of one term. Saturday and Sunday are left out when nothing happens on them."""

    title: str
    days: tuple[WeekDay, ...]
    hours: tuple[HourMark, ...]


def teaching_weeks(lectures: Sequence[NamedLecture]) -> tuple[Week, ...]:
    """A week for each term that has classes; year modules appear in both, unless there is nothing but them."""
    terms = {_term(lecture) for _, lecture in lectures} - {""}
    if not terms:
        return (_week("Every week", lectures),) if lectures else ()
    return tuple(_week(term, [named for named in lectures if _term(named[1]) in {term, ""}]) for term in sorted(terms))


def _term(lecture: Lecture) -> str:
    if lecture.offered in _FIRST_TERM:
        return "First semester"
    return "Second semester" if lecture.offered in _SECOND_TERM else ""


def _week(title: str, lectures: Sequence[NamedLecture]) -> Week:
    first_hour = min(_minutes(lecture.start) for _, lecture in lectures) // 60
    last_hour = math.ceil(max(_minutes(lecture.end) for _, lecture in lectures) / 60)
    by_day: dict[Day, list[NamedLecture]] = {day: [] for day in DAYS}
    for named in lectures:
        by_day[named[1].day].append(named)
    shown: list[Day] = [day for position, day in enumerate(DAYS) if position < _WORKING_DAYS or by_day[day]]
    return Week(
        title=title,
        days=tuple(WeekDay(name=day, slots=tuple(_slots(by_day[day], first_hour * 60))) for day in shown),
        hours=tuple(
            HourMark(label=f"{hour:02}:00", line=(hour - first_hour) * _LINES_PER_HOUR + 1)
            for hour in range(first_hour, last_hour)
        ),
    )


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _slots(lectures: Iterable[NamedLecture], first_minute: int) -> Iterable[Slot]:
    ordered = sorted(lectures, key=lambda named: (named[1].start, named[1].end, named[1].module, named[0]))
    for cluster in _clusters(ordered):
        lanes = _lanes([lecture for _, lecture in cluster])
        for named, lane in zip(cluster, lanes, strict=True):
            yield _slot(named, first_minute, lane, max(lanes) + 1)


def _slot(named: NamedLecture, first_minute: int, lane: int, lanes: int) -> Slot:
    entry_id, lecture = named
    start, end = _minutes(lecture.start), _minutes(lecture.end)
    first_line = (start - first_minute) // MINUTES_PER_LINE + 1
    return Slot(
        entry_id=entry_id,
        lecture=lecture,
        first_line=first_line,
        last_line=first_line + max(math.ceil((end - start) / MINUTES_PER_LINE), 1),
        first_column=round(lane * COLUMNS / lanes) + 1,
        last_column=round((lane + 1) * COLUMNS / lanes) + 1,
        crowded=lanes > _LANES_ROOMY,
    )


def _clusters(ordered: Iterable[NamedLecture]) -> Iterable[list[NamedLecture]]:
    """Runs of classes that overlap, one with another; only these share the width of the day."""
    cluster: list[NamedLecture] = []
    latest_end = ""
    for named in ordered:
        if cluster and named[1].start >= latest_end:
            yield cluster
            cluster, latest_end = [], ""
        cluster.append(named)
        latest_end = max(latest_end, named[1].end)
    if cluster:
        yield cluster


def _lanes(cluster: Iterable[Lecture]) -> list[int]:
    """The lane of each class: the first that is free at its start."""
    ends: list[str] = []
    lanes: list[int] = []
    for lecture in cluster:
        lane = next((lane for lane, end in enumerate(ends) if end <= lecture.start), len(ends))
        ends[lane : lane + 1] = [lecture.end]
        lanes.append(lane)
    return lanes
