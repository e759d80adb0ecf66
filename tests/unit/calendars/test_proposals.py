"""Combinations of groups for a calendar, and what is stored when a student takes one."""

import time
from typing import Any

import pytest

from tests.support.builders.calendars import assembly
from tests.support.builders.timetable import lecture
from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import TooManyGroups
from upschedule.calendars.model import Choices
from upschedule.calendars.proposals import GroupProposals, alternatives, check_searchable, propose_groups
from upschedule.planning.wishes import Wishes
from upschedule.settings import CalendarSettings
from upschedule.timetable.event import Event

_SETTINGS = CalendarSettings(proposal_milliseconds_max=10_000)
#: The first practical clashes with the other module, and the second does not.
_EVENTS: tuple[Event, ...] = (
    lecture(),
    lecture(activity="P1", group="P01", day="Tuesday"),
    lecture(activity="P1", group="P02", day="Friday"),
    lecture(module="XYZ 210", day="Tuesday"),
    lecture(module="OLD 100", group="G01", day="Wednesday"),
    lecture(module="OLD 100", group="G02", day="Thursday"),
)


def _propose(found: CalendarAssembly, wishes: Wishes | None = None, **changes: Any) -> GroupProposals:
    return propose_groups(found, wishes or Wishes(), _SETTINGS, clock=time.monotonic, **changes)


def _id(found: CalendarAssembly, **fields: str) -> str:
    return next(
        entry_id for entry_id, event in found.named if all(getattr(event, name) == fields[name] for name in fields)
    )


def test_taking_a_proposal_leaves_no_class_open() -> None:
    """The stored choice shows exactly the classes of the proposal."""
    found = _propose(assembly(*_EVENTS))
    taken = assembly(*_EVENTS, choices=Choices(groups=dict(found.best[0].groups)))

    again = _propose(taken)

    assert found.current is None
    assert found.clash_free == 2
    assert again.current == found.best[0].qualities
    assert again.best == found.best


def test_a_hidden_module_keeps_its_groups_and_takes_no_part() -> None:
    choices = Choices(hidden_modules=("OLD 100",), groups={"OLD 100": ("G02",)})

    found = _propose(assembly(*_EVENTS, choices=choices))

    assert found.combinations == 2
    assert found.best[0].groups == {"ABC 123": ("G01", "P02"), "OLD 100": ("G02",)}


def test_a_group_that_is_settled_by_the_wishes_is_stored_as_well() -> None:
    found = _propose(assembly(*_EVENTS), Wishes(groups={"ABC 123": ("P01",)}))

    assert found.best[0].groups["ABC 123"] == ("G01", "P01")
    assert found.clash_free == 0


def test_the_alternatives_to_a_class_say_what_each_would_change() -> None:
    """All other choices stay as they are."""
    choices = Choices(groups={"ABC 123": ("G01", "P01"), "OLD 100": ("G01",)})
    found = assembly(*_EVENTS, choices=choices)

    answer = alternatives(found, _id(found, group="P01"), _SETTINGS)

    assert answer is not None
    decision, groups = answer
    assert (decision.module, decision.kind) == ("ABC 123", "P")
    assert [(item.group.name, item.chosen, bool(item.qualities.clashes)) for item in groups] == [
        ("P01", True, True),
        ("P02", False, False),
    ]
    assert groups[1].groups == {"ABC 123": ("G01", "P02"), "OLD 100": ("G01",)}


def test_what_is_no_class_has_no_alternatives() -> None:
    assert alternatives(assembly(*_EVENTS), "not an entry", _SETTINGS) is None


def test_too_many_classes_are_refused() -> None:
    """The limit on their number bounds the work before the search begins."""
    check_searchable(assembly(*_EVENTS), classes_max=6)
    with pytest.raises(TooManyGroups):
        check_searchable(assembly(*_EVENTS), classes_max=5)
