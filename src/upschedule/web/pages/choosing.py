"""What the script needs to show another choice of groups and modules before the server has saved it. Pure functions."""

from collections.abc import Mapping

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.clashes import settled_clashes
from upschedule.planning.groups import attends
from upschedule.timetable.event import Event, Lecture

_FIRST_TERM, _SECOND_TERM = frozenset({"S1", "Q1", "Q2"}), frozenset({"S2", "Q3", "Q4"})


class Placing(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether an entry is shown, and between which entries there is a choice.

    `lecture` is None for a test or an exam. `attended`: the groups that are chosen show it.
    """

    lecture: Lecture | None
    attended: bool

    @property
    def term(self) -> str:
        """The title of the only typical week that shows the class, empty for each week."""
        return term_of(self.lecture) if self.lecture else ""


def others(assembly: CalendarAssembly) -> list[tuple[str, Event]]:
    """Entries that are not shown, but would be with other groups or modules."""
    shown = {entry_id for entry_id, _ in assembly.visible}
    hidden = assembly.calendar.choices.hidden_events
    return [(entry_id, event) for entry_id, event in assembly.named if entry_id not in shown and entry_id not in hidden]


def placings(assembly: CalendarAssembly) -> Mapping[str, Placing]:
    """The places by entry id. Entries that the owner added have none."""
    chosen = assembly.calendar.choices.groups
    found: dict[str, Placing] = {}
    for entry_id, event in assembly.named:
        lecture, groups = event if isinstance(event, Lecture) else None, chosen.get(event.module)
        attended = lecture is None or groups is None or attends(lecture, groups)
        found[entry_id] = Placing(lecture=lecture, attended=attended)
    return found


def dismissed_pairs(assembly: CalendarAssembly) -> str:
    """The entries of clashes that are not to be marked: pairs of ids, separated by commas."""
    return ",".join(" ".join(clash.events) for clash in settled_clashes(assembly) if clash.dismissed)


def term_of(lecture: Lecture) -> str:
    """The title of the typical week of its term, empty for each term."""
    if lecture.offered in _FIRST_TERM:
        return "First semester"
    return "Second semester" if lecture.offered in _SECOND_TERM else ""
