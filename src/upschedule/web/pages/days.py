"""Lists the days of a calendar: the entries of each day, and what is special about the day. Pure functions."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.clashes import clash_dates
from upschedule.timetable.academic_year import AcademicYear, days
from upschedule.timetable.event import Event, Exam
from upschedule.timetable.occurrences import Occurrence
from upschedule.web.pages.choosing import others
from upschedule.web.pages.grid import in_time_order
from upschedule.web.pages.items import Item, item_of, own_item

#: An entry's id and a date on which it clashes with another.
Clashing = frozenset[tuple[str, dt.date]]

_NOTES = {
    "no_lectures": "No lectures", "recess": "Recess", "exams": "Exams", "supplementary_exams": "Supplementary exams",
}  # fmt: skip
#: Shown instead of a module where only times are shown.
BUSY = "Busy"


class PlannedDay(msgspec.Struct, frozen=True, kw_only=True):
    """`note` names what is special about the day: a holiday, a recess, another weekday's timetable."""

    date: dt.date
    note: str
    items: tuple[Item, ...]

    @property
    def title(self) -> str:
        return f"{self.date:%A} {self.date.day} {self.date:%B}"


class Plan:
    """All dates of a calendar by day. `first` and `last` are the days of the first and the last entry."""

    def __init__(self, by_date: Mapping[dt.date, Sequence[Item]], year: AcademicYear) -> None:
        self._by_date = by_date
        self.year = year
        self.first, self.last = min(by_date), max(by_date)

    def day(self, date: dt.date) -> PlannedDay:
        """The given day, also if it has no entries."""
        return PlannedDay(
            date=date, note=_note(self.year, date), items=tuple(in_time_order(self._by_date.get(date, ())))
        )

    def between(self, first: dt.date, last: dt.date) -> tuple[PlannedDay, ...]:
        """Every day from the first to the last one, both included."""
        return tuple(map(self.day, days(first, last)))

    def busy_days(self, first: dt.date, *, days_max: int) -> tuple[PlannedDay, ...]:
        """The next days that have entries."""
        return tuple(map(self.day, sorted(date for date in self._by_date if date >= first)[:days_max]))


def planned_days(assembly: CalendarAssembly, clashing: Clashing) -> Plan | None:
    """What the calendar shows; None where it has no dates."""
    by_date: defaultdict[dt.date, list[Item]] = defaultdict(list)
    for entry_id, event in assembly.visible:
        for occurrence in assembly.occurrences[entry_id]:
            date = occurrence.start.date()
            item = _printed_item(assembly, entry_id, event, occurrence, clashes=(entry_id, date) in clashing)
            by_date[date].append(item)
    for entry_id, own in assembly.own:
        for occurrence in own.dates:
            date = occurrence.start.date()
            by_date[date].append(own_item(entry_id, own, occurrence, clashes=(entry_id, date) in clashing))
    return Plan(by_date, assembly.year) if by_date else None


def others_between(assembly: CalendarAssembly, first: dt.date, last: dt.date) -> Mapping[dt.date, Sequence[Item]]:
    """What another choice of groups and modules would show on these days, both included. Its clashes are not marked."""
    by_date: defaultdict[dt.date, list[Item]] = defaultdict(list)
    for entry_id, event in others(assembly):
        for occurrence in assembly.occurrences[entry_id]:
            if first <= occurrence.start.date() <= last:
                item = _printed_item(assembly, entry_id, event, occurrence, clashes=False)
                by_date[occurrence.start.date()].append(item)
    return by_date


def _printed_item(
    assembly: CalendarAssembly, entry_id: str, event: Event, occurrence: Occurrence, *, clashes: bool
) -> Item:
    return item_of(
        entry_id,
        event,
        date=occurrence.start.date(),
        exam_end=f"{occurrence.end:%H:%M}" if isinstance(event, Exam) else "",
        followed=occurrence.followed,
        clashes=clashes,
        edit=assembly.calendar.edits.entries.get(entry_id),
    )


def busy_times(plan: Plan) -> Plan:
    """The same days with only the busy times, merged where they overlap or touch."""
    by_date: dict[dt.date, list[Item]] = {}
    for day in plan.between(plan.first, plan.last):
        joined: list[Item] = []
        for item in day.items:
            if joined and item.start <= joined[-1].end:
                end = max(joined[-1].end, item.end)
                joined[-1] = msgspec.structs.replace(joined[-1], end=end)
            else:
                joined.append(_busy(day.date, item))
        if joined:
            by_date[day.date] = joined
    return Plan(by_date, plan.year)


def _busy(date: dt.date, item: Item) -> Item:
    return Item(
        entry_id="", kind="", module=BUSY, title="", group="", start=item.start, end=item.end, end_assumed=False,
        venues=(), campus="", notes=(), date=date,
    )  # fmt: skip


def clashing_occurrences(assembly: CalendarAssembly) -> Clashing:
    """What one person cannot attend, among what the calendar shows, unless its owner dismissed it."""
    return frozenset((entry_id, date) for entry_id, dates in clash_dates(assembly).items() for date in dates)


def _note(year: AcademicYear, date: dt.date) -> str:
    info = year.day(date)
    if info.kind == "follows":
        return f"{info.weekday}\N{RIGHT SINGLE QUOTATION MARK}s timetable is followed"
    if info.kind == "holiday":
        return info.name
    return (info.name or _NOTES[info.kind]) if info.kind in _NOTES else ""


def span(items: Iterable[PlannedDay]) -> tuple[Item, ...]:
    """The items of several days."""
    return tuple(item for day in items for item in day.items)
