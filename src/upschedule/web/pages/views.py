"""Decides which view of the calendar a URL requests, and which one a returning person sees first. Pure functions."""

import datetime as dt
from collections.abc import Mapping
from typing import Literal, get_args
from urllib.parse import urlencode

import msgspec

from upschedule.web.pages.days import Plan, PlannedDay
from upschedule.web.pages.items import Item

View = Literal["week", "date", "agenda", "typical"]
#: Days of the agenda that one page shows.
_AGENDA_DAYS = 10


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The query of the page's address. None means the default for the present day."""

    view: View | None = None
    week: dt.date | None = None
    since: dt.date | None = None

    @property
    def query(self) -> str:
        """The query string of the address; empty if it has no values."""
        given = {"view": self.view, "week": self.week, "from": self.since}
        return urlencode({name: str(value) for name, value in given.items() if value is not None})


class Agenda(msgspec.Struct, frozen=True, kw_only=True):
    """The days with entries.

    `later` is the first day of the next page; `earlier` says whether the page differs from today's.
    """

    days: tuple[PlannedDay, ...]
    later: dt.date | None
    earlier: bool


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """Today, and the next item: the one that is in progress or begins first, on `next_day`."""

    today: PlannedDay
    next_item: Item
    next_day: str


def wanted(query: Mapping[str, str]) -> Wanted:
    """Invalid values count as missing, because people type, shorten and store addresses."""
    view = query.get("view", "")
    week, since = _date(query.get("week", "")), _date(query.get("from", ""))
    known: View | None = view if view in get_args(View) else None  # pyright: ignore[reportAssignmentType] - checked
    return Wanted(view=known or ("week" if week else "agenda" if since else None), week=week, since=since)


def agenda(plan: Plan, since: dt.date | None, today: dt.date) -> Agenda:
    """The days from `since`.

    Without it, from today, or from the first day if all days are in the future or all in the past.
    """
    start = today if plan.first <= today <= plan.last else plan.first
    found = plan.busy_days(since or start, days_max=_AGENDA_DAYS + 1)
    shown, more = found[:_AGENDA_DAYS], found[_AGENDA_DAYS:]
    return Agenda(days=shown, later=more[0].date if more else None, earlier=since is not None and since != start)


def present(plan: Plan, now: dt.datetime) -> Now | None:
    """The present day; None after the last entry. `now` is South African time."""
    today = now.date()
    for day in plan.busy_days(today, days_max=2):
        for item in day.items:
            if day.date > today or (item.end or item.start) > f"{now:%H:%M}":
                return Now(today=plan.day(today), next_item=item, next_day=_named(day, today))
    return None


def _named(day: PlannedDay, today: dt.date) -> str:
    days = (day.date - today).days
    return ("today", "tomorrow")[days] if days in {0, 1} else f"on {day.title}"


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
