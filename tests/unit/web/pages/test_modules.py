"""The meaning of the form of modules and groups."""

import pytest

from tests.support.builders.events import a_lecture
from upschedule.calendars.errors import CalendarChanged
from upschedule.calendars.model import Choices
from upschedule.web.pages.modules import choices_from_form, modules

_EVENTS = [
    *(a_lecture(group=group) for group in ("G01", "G02", "P01", "P02")),
    a_lecture(module="XYZ 214", group="G01"),
]
_LISTED = [("module", "ABC 123"), ("show", "ABC 123"), ("module", "XYZ 214")]


def test_a_module_that_is_not_ticked_is_hidden() -> None:
    chosen = choices_from_form(_LISTED, _EVENTS, Choices())
    assert chosen.hidden_modules == ("XYZ 214",)
    assert chosen.groups == {}


def test_choosing_one_group_keeps_the_groups_of_other_kinds() -> None:
    """A student attends a lecture group and a practical group."""
    chosen = choices_from_form([*_LISTED, ("group", "ABC 123|P|P02"), ("group", "ABC 123|G|")], _EVENTS, Choices())
    assert chosen.groups == {"ABC 123": ("G01", "G02", "P02")}
    (abc, _) = modules(_EVENTS, chosen)
    assert {choice.kind: choice.chosen for choice in abc.choices} == {"G": "", "P": "P02"}


def test_choosing_all_groups_again_forgets_the_choice() -> None:
    before = Choices(groups={"ABC 123": ("G01", "G02", "P02")})
    chosen = choices_from_form([*_LISTED, ("group", "ABC 123|P|"), ("group", "ABC 123|G|")], _EVENTS, before)
    assert chosen.groups == {}


def test_what_the_form_does_not_ask_for_stays() -> None:
    """This applies to colours, reminders, single hidden entries, and the groups of a hidden module."""
    before = Choices(groups={"XYZ 214": ("G01",)}, colours={"ABC 123": "teal"}, hidden_events=("e1",))
    chosen = choices_from_form(_LISTED, _EVENTS, before)
    assert chosen == Choices(
        groups={"XYZ 214": ("G01",)}, colours={"ABC 123": "teal"}, hidden_events=("e1",), hidden_modules=("XYZ 214",)
    )


def test_a_made_up_value_chooses_nothing() -> None:
    """Any client can send such a form."""
    form = [*_LISTED, ("group", "nonsense"), ("group", "NOT 999|P|P01"), ("group", "|||")]
    assert choices_from_form(form, _EVENTS, Choices()).groups == {}


#: Both modules are shown, with all groups.
_SHOWN = [
    ("differences", "yes"), ("module", "ABC 123"), ("shown", "ABC 123"), ("chosen", "ABC 123|P|"),
    ("chosen", "ABC 123|G|"), ("module", "XYZ 214"), ("shown", "XYZ 214"),
]  # fmt: skip


def test_a_form_changes_only_what_differs_from_how_it_was_shown() -> None:
    """Another tab has hidden a module and chosen a group in the meantime."""
    before = Choices(hidden_modules=("XYZ 214",), groups={"ABC 123": ("G02", "P01", "P02")})
    sent = [("show", "ABC 123"), ("show", "XYZ 214"), ("group", "ABC 123|P|P02"), ("group", "ABC 123|G|")]
    assert choices_from_form([*_SHOWN, *sent], _EVENTS, before) == Choices(
        hidden_modules=("XYZ 214",), groups={"ABC 123": ("G02", "P02")}
    )


def test_a_module_is_shown_again_only_by_ticking_it() -> None:
    """The form was shown before the other tab hid the module, or afterwards. In the second case it is ticked."""
    hidden = Choices(hidden_modules=("XYZ 214",))
    sent = [("show", "ABC 123"), ("show", "XYZ 214")]
    assert choices_from_form([*_SHOWN, *sent], _EVENTS, hidden) == hidden
    as_hidden = [field for field in _SHOWN if field != ("shown", "XYZ 214")]
    assert choices_from_form([*as_hidden, *sent], _EVENTS, hidden) == Choices()


def test_two_different_groups_of_one_kind_are_a_conflict() -> None:
    """Sending the same group twice is not a conflict."""
    before = Choices(groups={"ABC 123": ("G01", "G02", "P01")})
    sent = [("show", "ABC 123"), ("show", "XYZ 214"), ("group", "ABC 123|G|")]
    with pytest.raises(CalendarChanged):
        choices_from_form([*_SHOWN, *sent, ("group", "ABC 123|P|P02")], _EVENTS, before)
    assert choices_from_form([*_SHOWN, *sent, ("group", "ABC 123|P|P01")], _EVENTS, before) == before


def test_a_group_chosen_with_its_kind_of_class_is_not_offered_as_if_nothing_was_chosen() -> None:
    """`G01/P` is a choice that the select fields cannot show. The page for groups shows it."""
    (abc, xyz) = modules(_EVENTS, Choices(groups={"ABC 123": ("G01/P", "P01")}))
    assert abc.choices == ()
    assert xyz.shown


@pytest.mark.parametrize("stored", ["", "P01", "P02"])
def test_a_form_that_is_sent_before_an_earlier_one_is_answered_is_no_conflict_with_it(stored: str) -> None:
    """The earlier form chose P01. It has been stored, or has not, or arrives after this one."""
    groups = ("G01", "G02", *([stored] if stored else ["P01", "P02"]))
    before = Choices(groups={"ABC 123": groups} if stored else {})
    ticked = [("show", "ABC 123"), ("show", "XYZ 214"), ("group", "ABC 123|G|")]
    again = [*_SHOWN, ("chosen", "ABC 123|P|P01"), *ticked]
    assert choices_from_form([*again, ("group", "ABC 123|P|P02")], _EVENTS, before).groups == {
        "ABC 123": ("G01", "G02", "P02")
    }
    if stored != "P02":
        assert choices_from_form([*again, ("group", "ABC 123|P|")], _EVENTS, before).groups == {}


def test_a_group_of_another_tab_is_a_conflict_with_every_group_that_a_form_expects() -> None:
    before = Choices(groups={"ABC 123": ("G02", "P01", "P02")})
    sent = [("chosen", "ABC 123|G|G01"), ("show", "ABC 123"), ("show", "XYZ 214"), ("group", "ABC 123|G|")]
    with pytest.raises(CalendarChanged):
        choices_from_form([*_SHOWN, *sent], _EVENTS, before)
