"""Tests which groups a student has to choose, and the names by which a calendar stores the choice."""

from tests.support.builders.timetable import lecture, semester_test
from upschedule.planning.groups import Decision, attending, attends, decisions, selected
from upschedule.timetable.event import Event, Lecture

Named = list[tuple[str, Event]]


def _shape(found: tuple[Decision, ...]) -> dict[tuple[str, str], list[str]]:
    return {(decision.module, decision.kind): [group.name for group in decision.groups] for decision in found}


def test_one_group_of_each_kind_of_class_is_to_be_chosen() -> None:
    """The kind is that of the activity, whatever the name of the group is."""
    named: Named = [
        ("a", lecture(group="G01", activity="L1")),
        ("b", lecture(group="G01", activity="L2", day="Friday")),
        ("c", lecture(group="G02", activity="L1")),
        ("d", lecture(group="A7", activity="P1")),
        ("e", lecture(group="P02", activity="P1")),
        ("f", semester_test()),
    ]

    found = decisions(named)

    assert _shape(found) == {("ABC 123", "L"): ["G01", "G02"], ("ABC 123", "P"): ["A7", "P02"]}
    assert found[0].groups[0].entries == ("a", "b")


def test_groups_of_terms_without_a_common_group_are_decided_apart() -> None:
    """The student attends one group in the third quarter and another in the fourth."""
    named: Named = [("a", lecture(offered="Q3")), ("b", lecture(offered="Q4", group="G02"))]

    assert [[group.name for group in decision.groups] for decision in decisions(named)] == [["G01"], ["G02"]]
    assert len({decision.key for decision in decisions(named)}) == 2


def test_a_group_of_several_terms_is_one_choice() -> None:
    named: Named = [
        ("a", lecture(offered="Q3")),
        ("b", lecture(offered="Q4")),
        ("c", lecture(offered="Q4", group="G02")),
    ]

    (decision,) = decisions(named)

    assert [group.entries for group in decision.groups] == [("a", "b"), ("c",)]


def test_a_group_is_stored_by_its_name_alone_where_that_is_enough() -> None:
    """The kind is stored where the group also has classes of a kind that is not attended.

    The same applies to the language.
    """
    named: Named = [
        ("a", lecture(group="G01", activity="L1")),
        ("b", lecture(group="G01", activity="P1")),
        ("c", lecture(group="G02", activity="L1")),
        ("d", lecture(group="G02", activity="P1")),
        ("e", lecture(module="XYZ 210", language="E")),
        ("f", lecture(module="XYZ 210", language="A")),
        ("g", lecture(module="DEF 110", group="P01", activity="P1")),
        ("h", lecture(module="DEF 110", group="P02", activity="P1")),
    ]
    found = decisions(named)
    wanted = {"a", "d", "f", "h"}
    chosen = [(decision, group) for decision in found for group in decision.groups if wanted & set(group.entries)]

    stored = attending(chosen, named)

    assert stored == {"ABC 123": ("G01/L", "G02/P"), "DEF 110": ("P02",), "XYZ 210": ("G01/L/A",)}
    attended = {key for key, event in named if isinstance(event, Lecture) and attends(event, stored[event.module])}
    assert attended == wanted


def test_a_stored_choice_selects_its_groups_again() -> None:
    """Without a choice, all groups are selected."""
    named: Named = [("a", lecture(group="P01", activity="P1")), ("b", lecture(group="P02", activity="P1"))]
    (decision,) = decisions(named)

    assert [group.name for group in selected(decision, ("P02",), dict(named))] == ["P02"]
    assert selected(decision, None, dict(named)) == decision.groups
