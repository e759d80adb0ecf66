"""The page for choosing groups: its sentences and its forms."""

import time

from tests.support.builders.calendars import assembly
from tests.support.builders.timetable import lecture
from upschedule.calendars.model import Choices
from upschedule.calendars.proposals import alternatives, propose_groups
from upschedule.planning.wishes import Wishes
from upschedule.settings import CalendarSettings
from upschedule.timetable.event import Event
from upschedule.web.pages.groups import (
    GroupsScreen,
    alternatives_screen,
    groups_from_form,
    groups_screen,
    groups_summary,
    wishes_from_form,
)

_SETTINGS = CalendarSettings(proposal_milliseconds_max=10_000)
_EVENTS: tuple[Event, ...] = (
    lecture(),
    lecture(activity="P1", group="P01", day="Tuesday"),
    lecture(activity="P1", group="P02", day="Friday"),
    lecture(module="XYZ 210", day="Tuesday"),
)


def _screen(*events: Event, choices: Choices | None = None) -> GroupsScreen:
    found = assembly(*events, choices=choices or Choices())
    return groups_screen(found, propose_groups(found, Wishes(), _SETTINGS, clock=time.monotonic))


def test_the_number_of_combinations_without_a_clash_is_shown() -> None:
    screen = _screen(*_EVENTS)

    assert screen.title == "1 of 2 combinations has no clash."
    assert [card.verdict.free_of_clashes for card in screen.cards] == [True, False]
    assert screen.current is None


def test_a_clash_is_shown_with_its_hours_and_all_its_dates() -> None:
    """The clash is in fourteen weeks, of which some may be holidays, so each date is named."""
    (_, clashing) = _screen(*_EVENTS).cards
    (line,) = clashing.verdict.clashes

    assert line.what == "ABC 123 P1 P01 and XYZ 210 L1 G01"
    assert line.when.startswith("Tuesdays 08:30–09:20, ")  # noqa: RUF001 - a range
    assert line.dates[0] == "10 Feb"


def test_what_a_card_posts_takes_its_groups() -> None:
    """The card of the current choice says so."""
    card = _screen(*_EVENTS).cards[0]
    groups = groups_from_form([("take", field) for field in card.fields])

    screen = _screen(*_EVENTS, choices=Choices(groups=groups))

    assert groups == {"ABC 123": ("G01", "P02")}
    assert [card.current for card in screen.cards] == [True, False]
    assert screen.current is not None


def test_a_schedule_without_a_choice_says_so() -> None:
    screen = _screen(lecture())

    assert "nothing to choose" in screen.title
    assert screen.cards == ()
    assert groups_summary(assembly(lecture())) is None


def test_an_alternative_names_only_its_own_clashes() -> None:
    found = assembly(*_EVENTS, lecture(module="DEF 110"))
    entry_id = next(key for key, event in found.named if getattr(event, "group", "") == "P01")
    answer = alternatives(found, entry_id, _SETTINGS)
    assert answer is not None

    screen = alternatives_screen(found, *answer)

    # The lectures on Mondays clash with every choice.
    assert [(card.name, len(card.verdict.clashes)) for card in screen.cards] == [("P01", 1), ("P02", 0)]


def test_the_form_of_wishes_means_what_it_shows() -> None:
    form = [
        ("free_day", "Friday"), ("not_before", "08:30"), ("few_gaps", "on"), ("travel_hidden", "yes"),
        ("language", "ABC 123|A"), ("language", "XYZ 210|"), ("settled", "ABC 123|P02"), ("settled", "XYZ 210|"),
    ]  # fmt: skip

    assert wishes_from_form(form) == Wishes(
        free_days=("Friday",), not_before="08:30", languages={"ABC 123": "A"}, groups={"ABC 123": ("P02",)}
    )
    assert wishes_from_form([("free_day", "any")]) == Wishes(fewest_days=True, few_gaps=False, travel=False)


def test_made_up_values_wish_nothing() -> None:
    """Any client can send such a form."""
    form = [("free_day", "Someday"), ("not_before", "25:99"), ("language", "x"), ("settled", ""), ("take", "|")]

    assert wishes_from_form(form) == Wishes(few_gaps=False, travel=False)
    assert groups_from_form(form) == {}
