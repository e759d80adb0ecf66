"""What was read, as the page shows it for checking. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from upschedule.calendars.assembly import is_shown
from upschedule.calendars.model import Choices
from upschedule.timetable.colours import Colour
from upschedule.timetable.event import Event, Exam, Lecture, Test
from upschedule.web.pages.agenda import Month, months
from upschedule.web.pages.documents import counted
from upschedule.web.pages.modules import Module, modules
from upschedule.web.pages.warnings import EntryWarnings
from upschedule.web.pages.week import Week, teaching_weeks

#: Entries with their ids, as the calendar names them.
Named = Sequence[tuple[str, Event]]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """`colours` are the modules'."""

    summary: str
    modules: tuple[Module, ...]
    colours: Mapping[str, Colour]
    weeks: tuple[Week, ...]
    months: tuple[Month, ...]
    warnings: EntryWarnings
    has_exams: bool

    @property
    def has_choices(self) -> bool:
        return any(module.choices for module in self.modules)


def schedule(named: Named, warnings: EntryWarnings, choices: Choices, ends: Mapping[str, str]) -> Schedule:
    """Modules that are hidden stay in the list, to be shown again. `ends` as in `agenda.months`."""
    listed = modules([event for _, event in named], choices)
    shown = [(entry_id, event) for entry_id, event in named if is_shown(entry_id, event, choices)]
    lectures = [(entry_id, event) for entry_id, event in shown if isinstance(event, Lecture)]
    dated = [(entry_id, event) for entry_id, event in shown if isinstance(event, Test | Exam)]
    return Schedule(
        summary=_summary(named),
        modules=listed,
        colours={module.name: module.colour for module in listed},
        weeks=teaching_weeks(lectures),
        months=months(dated, ends),
        warnings=warnings,
        has_exams=any(isinstance(event, Exam) for _, event in named),
    )


def _summary(named: Named) -> str:
    number = len({event.module for _, event in named})
    return f"{counted([event for _, event in named])} in {number} {'module' if number == 1 else 'modules'}."
