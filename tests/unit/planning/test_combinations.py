"""Combinations of groups, compared with a reference that tries all of them."""

import datetime as dt
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders.planning import (
    TRAVEL,
    UNLIMITED,
    Named,
    clash_weeks,
    clock,
    dated,
    every_combination,
    penalty,
    random_modules,
    times_of,
)
from tests.support.builders.timetable import academic_year, exam, lecture, period, semester_test
from upschedule.planning.combinations import Combination, Proposals, propose
from upschedule.planning.search import Limits
from upschedule.planning.wishes import Wishes
from upschedule.timetable.academic_year import AcademicYear, FollowedDay
from upschedule.timetable.event import DAYS, Event

_NO_WISHES = Wishes(few_gaps=False, travel=False)
#: The year has a quarter, a recess, and a Tuesday that follows Monday's timetable.
_YEAR = academic_year(
    terms={
        "S1": period("2026-02-09", "2026-05-22"),
        "S2": period("2026-07-13", "2026-10-16"),
        "Q1": period("2026-02-09", "2026-03-27"),
    },
    recesses=(period("2026-03-28", "2026-04-12"),),
    follows=(FollowedDay(date=dt.date(2026, 4, 14), weekday="Monday"),),
)


def _propose(
    named: Named,
    wishes: Wishes = _NO_WISHES,
    *,
    wanted: int = 5,
    limits: Limits = UNLIMITED,
    year: AcademicYear = _YEAR,
) -> Proposals:
    return propose(
        named, dated(named, year), wishes=wishes, travel=TRAVEL, wanted=wanted, limits=limits, clock=time.monotonic
    )


@st.composite
def _schedules(draw: st.DrawFn) -> list[tuple[str, Event]]:
    """There are few hours, so that many classes clash.

    There are two campuses, two languages, and sometimes a test and an exam.
    """
    events: list[Event] = []
    for module in range(draw(st.integers(1, 3))):
        offered = draw(st.sampled_from(["S1", "S1", "S1", "Q1", "Y"]))
        for kind in draw(st.lists(st.sampled_from("LPT"), min_size=1, max_size=2, unique=True)):
            for group in range(draw(st.integers(1, 3))):
                language, campus = draw(st.sampled_from("EA")), draw(st.sampled_from(["HATFIELD", "GROENKLOOF"]))
                for place in range(draw(st.integers(1, 2))):
                    start = draw(st.integers(14, 20)) * 30
                    events.append(
                        lecture(
                            module=f"ABC {module + 100}", offered=offered, group=f"{kind}{group + 1:02}",
                            activity=f"{kind}{place + 1}", language=language, campus=campus,
                            day=draw(st.sampled_from(DAYS[:3])), start=clock(start),
                            end=clock(start + draw(st.sampled_from([50, 110]))),
                        )
                    )  # fmt: skip
    if draw(st.booleans()):
        events.append(semester_test(module="ABC 100", date=dt.date(2026, 3, 16), start="08:00", end="09:30"))
        events.append(exam(module="ABC 101", date=dt.date(2026, 5, 19), start="08:00"))
    return [(f"e{number:02}", event) for number, event in enumerate(events)]


@st.composite
def _wishes(draw: st.DrawFn) -> Wishes:
    return Wishes(
        free_days=tuple(draw(st.sets(st.sampled_from(DAYS[:3]), max_size=2))),
        fewest_days=draw(st.booleans()),
        not_before=draw(st.sampled_from([None, "08:00", "08:30"])),
        few_gaps=draw(st.booleans()),
        one_campus=draw(st.booleans()),
        travel=draw(st.booleans()),
    )


def _cost(combination: Combination, named: Named, wishes: Wishes) -> tuple[int, int]:
    """The cost of a combination as the reference computes it."""
    left_out = {
        entry
        for item in combination.chosen
        for group in item.decision.groups
        if group != item.group
        for entry in group.entries
    }
    entries = [key for key, _ in named if key not in left_out]
    dates = dated(named, _YEAR)
    return clash_weeks(entries, dates), penalty(entries, named, dates, wishes)


@settings(max_examples=80, deadline=None)
@given(named=_schedules(), wishes=_wishes())
def test_the_best_combinations_are_those_of_the_reference(named: Named, wishes: Wishes) -> None:
    """The order is by weeks with a clash and then by wishes, in real weeks.

    Every combination without a clash is found.
    """
    dates = dated(named, _YEAR)
    costs: dict[tuple[object, ...], tuple[int, int]] = {}
    clash_free = number = 0
    for entries in every_combination(named):
        cost = clash_weeks(entries, dates), penalty(entries, named, dates, wishes)
        costs[times_of(entries, named)] = cost
        number += 1
        clash_free += cost[0] == 0

    found = _propose(named, wishes)

    best = [_cost(combination, named, wishes) for combination in found.best]
    assert [combination.qualities.clash_weeks for combination in found.best] == [weeks for weeks, _ in best]
    assert best == sorted(costs.values())[:5]
    assert (found.combinations, found.clash_free, found.proven) == (number, clash_free, True)


def test_equal_input_gives_equal_output() -> None:
    named = random_modules(1, modules=4, groups=3)

    assert _propose(named, Wishes()) == _propose(list(reversed(named)), Wishes())


def test_only_weeks_with_classes_of_both_count() -> None:
    """A class of the first quarter and one of the semester overlap until the quarter ends, but not in the recess."""
    year = academic_year(
        terms={"S1": period("2026-02-09", "2026-05-22"), "Q1": period("2026-02-09", "2026-04-03")},
        recesses=(period("2026-03-28", "2026-04-12"),),
    )
    named = [("a", lecture(day="Wednesday")), ("b", lecture(module="XYZ 210", offered="Q1", day="Wednesday"))]

    (only,) = _propose(named, year=year).best

    # From 11 February to 25 March there are seven Wednesdays.
    assert only.qualities.clash_weeks == 7
    assert only.qualities.weeks_with_clash[0] == dt.date(2026, 2, 9)


def test_where_every_combination_clashes_the_least_bad_comes_first() -> None:
    """A clash with one test is better than clashes in fourteen weeks."""
    named: list[tuple[str, Event]] = [
        ("a", lecture()),
        ("b", lecture(module="XYZ 210", activity="P1", group="P01")),
        ("c", lecture(module="XYZ 210", activity="P1", group="P02", day="Tuesday")),
        ("d", semester_test(date=dt.date(2026, 3, 17), start="08:00", end="09:30")),
    ]

    found = _propose(named)

    assert (found.combinations, found.clash_free) == (2, 0)
    assert [item.group.name for best in found.best for item in best.chosen] == ["P02", "P01"]
    assert found.best[0].qualities.weeks_with_clash == (dt.date(2026, 3, 16),)


def test_groups_at_the_same_times_are_one_proposal() -> None:
    """The student may take either group, so the second is not another combination."""
    named = [(group, lecture(activity="P1", group=group)) for group in ("P01", "P02")]

    (only,) = _propose(named).best

    assert [group.name for item in only.chosen for group in (item.group, *item.equal)] == ["P01", "P02"]


def test_a_language_and_settled_groups_narrow_the_choice() -> None:
    """A kind of class without a group in the language keeps all its groups."""
    named = [
        ("a", lecture(group="G01")),
        ("b", lecture(group="G02", language="A", day="Tuesday")),
        ("c", lecture(group="P01", activity="P1", day="Friday")),
        ("d", lecture(group="P02", activity="P1", day="Thursday")),
    ]
    wishes = Wishes(languages={"ABC 123": "A"}, groups={"ABC 123": ("P02",)})

    found = _propose(named, wishes)

    assert found.combinations == 1
    assert found.best[0].qualities.free_days == ("Monday", "Wednesday", "Friday")


@pytest.mark.parametrize("wishes", [_NO_WISHES, Wishes()])
def test_at_its_limits_the_search_answers_what_it_has(wishes: Wishes) -> None:
    """Ten modules of one semester do not fit into a week, and a proof of the best combination would take too long."""
    named = random_modules(1, modules=10, groups=5, offered=("S1",))

    found = _propose(named, wishes, limits=Limits(nodes_max=500, seconds_max=60, count_steps_max=500))

    assert not found.proven
    assert found.best
    assert found.combinations == 5**30


def test_the_clock_ends_the_search() -> None:
    """The search uses the clock that it gets as an argument."""
    named = random_modules(1, modules=10, groups=5, offered=("S1",))
    seconds = iter(range(10**9))

    found = propose(
        named,
        dated(named),
        wishes=_NO_WISHES,
        travel=TRAVEL,
        wanted=3,
        limits=Limits(nodes_max=10**9, seconds_max=5, count_steps_max=500),
        clock=lambda: float(next(seconds)),
    )

    assert not found.proven
    assert next(seconds) < 20


def test_more_open_decisions_than_can_be_searched_are_answered_as_well() -> None:
    """A calendar holds at most two thousand entries."""
    named = [(f"{n:04}", lecture(module=f"M {n // 2}", group=f"G{n % 2}", day=DAYS[n % 5])) for n in range(400)]

    found = _propose(named, wanted=2)

    assert not found.proven
    assert len(found.best[0].chosen) == 200
