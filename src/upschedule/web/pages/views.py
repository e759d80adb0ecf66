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
    """The query of the page's address. None: what suits the day."""

    view: View | None = None
    week: dt.date | None = None
    since: dt.date | None = None

    @property
    def query(self) -> str:
        """As the address carries it, empty for nothing."""
        given = {"view": self.view, "week": self.week, "from": self.since}
        return urlencode({name: str(value) for name, value in given.items() if value is not None})


class Agenda(msgspec.Struct, frozen=True, kw_only=True):
    """Days on which something happens. `later` begins the next page, `earlier` whether today's page is another."""

    days: tuple[PlannedDay, ...]
    later: dt.date | None
    earlier: bool


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """Today, and what comes next: the item that runs or begins first, on `next_day`."""

    today: PlannedDay
    next_item: Item
    next_day: str


def wanted(query: Mapping[str, str]) -> Wanted:
    """Values that are none count as not given: an address is typed, cut off and kept for years."""
    view = query.get("view", "")
    week, since = _date(query.get("week", "")), _date(query.get("from", ""))
    known: View | None = view if view in get_args(View) else None  # pyright: ignore[reportAssignmentType] - checked
    return Wanted(view=known or ("week" if week else "agenda" if since else None), week=week, since=since)


def agenda(plan: Plan, since: dt.date | None, today: dt.date) -> Agenda:
    """From `since`; else from today, or from the first day where all lies ahead or all is over."""
    start = today if plan.first <= today <= plan.last else plan.first
    found = plan.busy_days(since or start, days_max=_AGENDA_DAYS + 1)
    shown, more = found[:_AGENDA_DAYS], found[_AGENDA_DAYS:]
    return Agenda(days=shown, later=more[0].date if more else None, earlier=since is not None and since != start)


def present(plan: Plan, now: dt.datetime) -> Now | None:
    """`now` is South African time. None once everything is over."""
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
