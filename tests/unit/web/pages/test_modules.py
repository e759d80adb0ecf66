"""What the form of modules and groups means."""

from tests.support.builders.events import a_lecture
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
    """One attends a lecture group and a practical group."""
    chosen = choices_from_form([*_LISTED, ("group", "ABC 123|P|P02"), ("group", "ABC 123|G|")], _EVENTS, Choices())
    assert chosen.groups == {"ABC 123": ("G01", "G02", "P02")}
    (abc, _) = modules(_EVENTS, chosen)
    assert {choice.kind: choice.chosen for choice in abc.choices} == {"G": "", "P": "P02"}


def test_choosing_all_groups_again_forgets_the_choice() -> None:
    before = Choices(groups={"ABC 123": ("G01", "G02", "P02")})
    chosen = choices_from_form([*_LISTED, ("group", "ABC 123|P|"), ("group", "ABC 123|G|")], _EVENTS, before)
    assert chosen.groups == {}


def test_what_the_form_does_not_ask_for_stays() -> None:
    """Colours, reminders, single hidden entries; the groups of a module that is hidden."""
    before = Choices(groups={"XYZ 214": ("G01",)}, colours={"ABC 123": "teal"}, hidden_events=("e1",))
    chosen = choices_from_form(_LISTED, _EVENTS, before)
    assert chosen == Choices(
        groups={"XYZ 214": ("G01",)}, colours={"ABC 123": "teal"}, hidden_events=("e1",), hidden_modules=("XYZ 214",)
    )


def test_a_made_up_value_chooses_nothing() -> None:
    """Forms can be sent by anybody."""
    form = [*_LISTED, ("group", "nonsense"), ("group", "NOT 999|P|P01"), ("group", "|||")]
    assert choices_from_form(form, _EVENTS, Choices()).groups == {}
