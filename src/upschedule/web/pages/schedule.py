"""Builds the view of a schedule that was read. Pure functions."""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from upschedule.calendars.assembly import CalendarAssembly, is_shown
from upschedule.calendars.model import Choices
from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.edits import Edit
from upschedule.timetable.event import Event, Exam, Lecture, Test
from upschedule.web.pages.agenda import Month, months
from upschedule.web.pages.choosing import Placing, dismissed_pairs, others, placings
from upschedule.web.pages.days import BUSY, busy_times, clashing_occurrences, others_between, planned_days
from upschedule.web.pages.documents import counted
from upschedule.web.pages.evidence import RowToCheck, rows_to_check
from upschedule.web.pages.modules import Module, modules
from upschedule.web.pages.views import Agenda, Now, View, Wanted, agenda, present
from upschedule.web.pages.warnings import EntryWarnings
from upschedule.web.pages.week import (
    RealWeek,
    Week,
    real_week,
    typical_weeks,
    with_other_classes,
    with_other_entries,
)

#: Entries with their ids, as the calendar names them.
Named = Sequence[tuple[str, Event]]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """`colours` are the modules'. `week`, `agenda` and `now` are None until there is a calendar with dates.

    `choosable` are the entries whose owner may attend another group instead; with `editable` all can be edited.
    `placings` and `dismissed` let the script show another choice at once (`choosing`).
    `to_check` are entries whose rows have warnings, `rows` says by module how many were read.
    """

    summary: str
    shown: str
    modules: tuple[Module, ...]
    colours: Mapping[str, Colour]
    typical: tuple[Week, ...]
    months: tuple[Month, ...]
    warnings: EntryWarnings
    has_exams: bool
    week: RealWeek | None = None
    agenda: Agenda | None = None
    now: Now | None = None
    wanted: View | None = None
    to_check: tuple[RowToCheck, ...] = ()
    rows: Mapping[str, str] = {}
    choosable: frozenset[str] = frozenset()
    placings: Mapping[str, Placing] = {}
    dismissed: str = ""
    editable: bool = False

    @property
    def has_choices(self) -> bool:
        return any(module.choices for module in self.modules)

    @property
    def views(self) -> tuple[View, ...]:
        """The views that have content, with the default one first."""
        found: tuple[tuple[View, object], ...] = (
            ("week", self.week), ("date", self.months), ("agenda", self.agenda), ("typical", self.typical),
        )  # fmt: skip
        return tuple(view for view, content in found if content)

    @property
    def view(self) -> View | None:
        """The view to show."""
        views = self.views
        return self.wanted if self.wanted in views else next(iter(views), None)


def schedule(
    named: Named,
    warnings: EntryWarnings,
    choices: Choices,
    ends: Mapping[str, str],
    edits: Mapping[str, Edit] = {},
) -> Schedule:
    """Without dates. Modules that are hidden stay in the list, to be shown again. `ends` as in `agenda.months`."""
    listed = modules([event for _, event in named], choices)
    shown = [(entry_id, event) for entry_id, event in named if is_shown(entry_id, event, choices)]
    dated = [(entry_id, event) for entry_id, event in shown if isinstance(event, Test | Exam)]
    return Schedule(
        summary=_summary(named),
        shown=f"{len(shown)} of {len(named)} entries are shown." if len(shown) < len(named) else "All are shown.",
        modules=listed,
        colours={module.name: module.colour for module in listed},
        typical=typical_weeks(_lectures(shown), edits),
        months=months(dated, ends, edits=edits),
        warnings=warnings,
        to_check=rows_to_check(shown, warnings),
        has_exams=any(isinstance(event, Exam) for _, event in named),
    )


def with_dates(shown: Schedule, assembly: CalendarAssembly, wanted: Wanted, now: dt.datetime) -> Schedule:
    """With the weeks of the calendar as it is; `now` is South African time."""
    shown = msgspec.structs.replace(shown, wanted=wanted.view)
    clashing = clashing_occurrences(assembly)
    plan = planned_days(assembly, clashing)
    if plan is None:
        return shown
    dated = [(entry_id, event) for entry_id, event in assembly.visible if isinstance(event, Test | Exam)]
    ends = {
        entry_id: f"{assembly.occurrences[entry_id][0].end:%H:%M}"
        for entry_id, event in dated
        if isinstance(event, Exam)
    }
    edits, today = assembly.calendar.edits.entries, now.date()
    week = real_week(plan, wanted.week, today)
    sunday = week.monday + dt.timedelta(days=6)
    return msgspec.structs.replace(
        shown,
        placings=placings(assembly),
        dismissed=dismissed_pairs(assembly),
        typical=with_other_classes(shown.typical, _lectures(assembly.visible), _lectures(others(assembly)), edits),
        colours={
            own.title: assembly.calendar.choices.colours.get(own.title) or colour_of(own.title)
            for _, own in assembly.own
        }
        | dict(shown.colours),
        months=months(dated, ends, clashing, edits),
        week=with_other_entries(week, plan, others_between(assembly, week.monday, sunday), today),
        agenda=agenda(plan, wanted.since, today),
        now=present(plan, now),
    )


def busy_schedule(assembly: CalendarAssembly, wanted: Wanted, now: dt.datetime) -> Schedule:
    """The view that shows only when the owner is busy."""
    plan = planned_days(assembly, frozenset())
    return Schedule(
        summary="",
        shown="",
        modules=(),
        colours={BUSY: colour_of(BUSY)},
        typical=(),
        months=(),
        warnings=EntryWarnings(),
        has_exams=False,
        week=real_week(busy_times(plan), wanted.week, now.date()) if plan else None,
    )


def _lectures(named: Named) -> list[tuple[str, Lecture]]:
    return [(entry_id, event) for entry_id, event in named if isinstance(event, Lecture)]


def _summary(named: Named) -> str:
    number = len({event.module for _, event in named})
    return f"{counted([event for _, event in named])} in {number} {'module' if number == 1 else 'modules'}."
