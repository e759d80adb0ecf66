"""The colours of the modules of one calendar."""

from hypothesis import given
from hypothesis import strategies as st

from upschedule.calendars.colouring import distinct_colours
from upschedule.timetable.colours import COLOURS, colour_of

_MODULES = st.lists(st.from_regex(r"[A-Z]{3} [1-7][0-9]{2}", fullmatch=True), unique=True)


@given(modules=_MODULES)
def test_as_many_modules_as_there_are_colours_differ(modules: list[str]) -> None:
    colours = distinct_colours(modules, {})

    assert len(set(colours.values())) == min(len(modules), len(COLOURS)) == len(colours)


@given(first=_MODULES, later=_MODULES)
def test_another_upload_changes_no_colour(first: list[str], later: list[str]) -> None:
    before = distinct_colours(first, {})
    after = distinct_colours([*first, *later], before)

    assert {module: after[module] for module in before} == before


def test_a_module_keeps_the_colour_that_it_has_everywhere_unless_it_is_taken() -> None:
    """Another module of the calendar, or a choice of the owner, can take the colour."""
    assert colour_of("NEW 999") == colour_of("XYZ 214")
    colours = distinct_colours(["XYZ 214", "NEW 999", "ABC 123"], {})
    assert colours["NEW 999"] == colour_of("NEW 999")
    assert colours["ABC 123"] == colour_of("ABC 123")
    assert colours["XYZ 214"] not in {colours["NEW 999"], colours["ABC 123"]}
    chosen = distinct_colours(["NEW 999", "ABC 123"], {"ABC 123": colour_of("NEW 999")})
    assert chosen["ABC 123"] == colour_of("NEW 999") != chosen["NEW 999"]
