"""Groups tests and exams by month, and lays each month out as a calendar sheet. Pure functions."""

import calendar
import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from upschedule.timetable.edits import Edit
from upschedule.timetable.event import Exam, Test
from upschedule.web.pages.items import Item, item_of

_MONDAYS_FIRST = calendar.Calendar()


class MonthDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day of a month's page, with its tests and exams."""

    date: dt.date
    items: tuple[Item, ...]


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The tests and exams of a month, in time order.

    `weeks` contains its days by week, from Monday; a day of another month is None.
    """

    title: str
    appointments: tuple[Item, ...]
    weeks: tuple[tuple[MonthDay | None, ...], ...]


def months(
    entries: Iterable[tuple[str, Test | Exam]],
    ends: Mapping[str, str],
    clashing: Iterable[tuple[str, dt.date]] = (),
    edits: Mapping[str, Edit] = {},
) -> tuple[Month, ...]:
    """The months with tests or exams.

    `ends` contains the ends of exams that the calendar knows, by entry id. `clashing` is as in `days.planned_days`.
    """
    in_clash = set(clashing)
    items = sorted(
        (
            (
                event.date,
                item_of(
                    entry_id,
                    event,
                    date=event.date,
                    exam_end=ends.get(entry_id, ""),
                    clashes=(entry_id, event.date) in in_clash,
                    edit=edits.get(entry_id),
                ),
            )
            for entry_id, event in entries
        ),
        key=lambda dated: (dated[0], dated[1].start, dated[1].module),
    )
    by_month = itertools.groupby(items, key=lambda dated: (dated[0].year, dated[0].month))
    return tuple(_month(year, number, list(group)) for (year, number), group in by_month)


def _month(year: int, number: int, items: list[tuple[dt.date, Item]]) -> Month:
    by_date: defaultdict[dt.date, list[Item]] = defaultdict(list)
    for date, item in items:
        by_date[date].append(item)

    def day(date: dt.date) -> MonthDay | None:
        return MonthDay(date=date, items=tuple(by_date.get(date, ()))) if date.month == number else None

    return Month(
        title=f"{dt.date(year, number, 1):%B %Y}",
        appointments=tuple(item for _, item in items),
        weeks=tuple(tuple(map(day, week)) for week in _MONDAYS_FIRST.monthdatescalendar(year, number)),
    )
