"""The statistics of the comparison, against published or exactly counted values."""

import itertools
import math
import random

import pytest

from upschedule.deploy.comparison.statistics import Table, chance_of_excess, difference_at_most


def table(old: tuple[int, int], new: tuple[int, int]) -> Table:
    return Table(old_events=old[0], old_trials=old[1], new_events=new[0], new_trials=new[1])


def test_the_exact_test_is_fishers() -> None:
    """Fisher's tea tasting: all eight cups are right by chance once in 70 times, and six or more 17 times."""
    assert chance_of_excess([table((0, 4), (4, 4))]) == pytest.approx(1 / 70)
    assert chance_of_excess([table((1, 4), (3, 4))]) == pytest.approx(17 / 70)


def test_several_tables_are_judged_together_but_not_mixed() -> None:
    """The test counts every assignment of the events of both tables."""
    tables = [table((1, 3), (2, 3)), table((0, 2), (2, 4))]

    def totals(each: Table) -> list[int]:
        events = each.old_events + each.new_events
        trials = range(each.old_trials + each.new_trials)
        return [sum(one < each.new_trials for one in chosen) for chosen in itertools.combinations(trials, events)]

    pairs = [first + second for first in totals(tables[0]) for second in totals(tables[1])]
    expected = sum(total >= 4 for total in pairs) / len(pairs)
    assert chance_of_excess(tables) == pytest.approx(expected)


def test_a_route_that_is_slow_in_both_releases_shows_no_excess() -> None:
    """The new release has more requests of the slow route. Added up, 91 of 110 against 19 of 110 would be slow."""
    slow, quick = table((9, 10), (90, 100)), table((10, 100), (1, 10))
    assert chance_of_excess([slow, quick]) > 0.5
    mixed = table((19, 110), (91, 110))
    assert chance_of_excess([mixed]) < 1e-9


def test_many_events_are_judged_by_the_normal_distribution_to_nearly_the_same_chance() -> None:
    """Near the switch between the methods, the chances differ by less than a factor of two, far out in the tail."""
    below, above = table((1_440, 40_000), (460, 10_000)), table((2_080, 40_000), (620, 10_000))
    for each in (below, above):
        z = (each.excess - 0.5) / math.sqrt(each.variance)
        assert 0.5 < chance_of_excess([each]) / (math.erfc(z / math.sqrt(2)) / 2) < 2
    assert below.variance < 400 < above.variance


def test_without_trials_or_events_nothing_is_shown() -> None:
    for each in (table((0, 0), (0, 0)), table((0, 10), (0, 10)), table((0, 0), (5, 5)), table((5, 5), (0, 0))):
        assert chance_of_excess([each]) == 1.0
    assert chance_of_excess([]) == 1.0
    assert difference_at_most(table((0, 0), (0, 10)), confidence=0.99) == 1.0
    assert difference_at_most(table((0, 10), (0, 0)), confidence=0.99) == 1.0


def test_the_limit_of_the_difference_is_newcombes() -> None:
    """Two of Newcombe's examples, 56/70 against 48/80 and 0/10 against 0/20, at 95 % on both sides."""
    assert difference_at_most(table((48, 80), (56, 70)), confidence=0.975) == pytest.approx(0.3339, abs=5e-5)
    assert difference_at_most(table((0, 20), (0, 10)), confidence=0.975) == pytest.approx(0.2775, abs=5e-5)


def test_the_limit_holds_as_often_as_it_says() -> None:
    """For 2,000 pairs of samples with a true difference of 3 %, hardly more than 1 % have a limit below it."""
    chance = random.Random(11)  # noqa: S311 -- it simulates, and must be repeatable
    missed = 0
    for _ in range(2_000):
        old = sum(chance.random() < 0.02 for _ in range(600))
        new = sum(chance.random() < 0.05 for _ in range(200))
        missed += difference_at_most(table((old, 600), (new, 200)), confidence=0.99) < 0.03
    assert missed / 2_000 < 0.02
