"""Compares two samples of events: how likely the difference is by chance, and how large it may be. Pure functions.

Sources: R. A. Fisher, The Design of Experiments, 1935 (exact test); N. Mantel and W. Haenszel, J. Natl. Cancer Inst.
22 (1959) 719 (several tables together); R. G. Newcombe, Statist. Med. 17 (1998) 873, method 10 (limit of a difference).
"""

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

import msgspec

#: From this variance on, the normal distribution replaces the exact one, whose cost grows with the variance squared. A
#: smaller bound would underestimate small chances, because the exact distribution is skewed.
_NORMAL_FROM_VARIANCE = 400.0


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Trials, such as requests, and the events among them, such as faults: of the old release and of the new one."""

    old_trials: int
    old_events: int
    new_trials: int
    new_events: int

    @property
    def difference(self) -> float:
        """The new release's rate minus the old one's; 0 without trials of both."""
        if not self.old_trials or not self.new_trials:
            return 0.0
        return self.new_events / self.new_trials - self.old_events / self.old_trials

    @property
    def excess(self) -> float:
        """Events of the new release above those that it would have at the common rate."""
        return self.new_events - self._mean

    @property
    def _mean(self) -> float:
        trials = self.old_trials + self.new_trials
        return self.new_trials * (self.old_events + self.new_events) / trials if trials else 0.0

    @property
    def variance(self) -> float:
        """The variance of the number of the new release's events under equal rates."""
        trials, events = self.old_trials + self.new_trials, self.old_events + self.new_events
        if trials < 2:  # noqa: PLR2004 -- one trial leaves no choice
            return 0.0
        return self._mean * (self.old_trials / trials) * ((trials - events) / (trials - 1))


def chance_of_excess(tables: Iterable[Table]) -> float:
    """The chance that the new release has at least as many events in all tables together, were its rates the same.

    Each table is compared separately, so that tables with different rates, such as routes or minutes, do not mix.
    """
    informative = [each for each in tables if each.variance > 0]
    if not informative:
        return 1.0
    variance = sum(each.variance for each in informative)
    if variance >= _NORMAL_FROM_VARIANCE:
        excess = sum(each.excess for each in informative) - 0.5
        return NormalDist().cdf(-excess / math.sqrt(variance))
    total = [1.0]
    offset = 0
    for table in informative:
        least, weights = _hypergeometric(table)
        total = _convolved(total, weights)
        offset += least
    observed = sum(each.new_events for each in informative) - offset
    return min(1.0, math.fsum(total[observed:]))


def chance_of_events(trials: int, events: int, *, rate: float) -> float:
    """The chance of at least `events` in `trials` that each have one with the probability `rate`."""
    if events <= 0 or rate >= 1:
        return 1.0
    if rate <= 0:
        return 0.0
    terms = (
        math.exp(_log_choose(trials, count) + count * math.log(rate) + (trials - count) * math.log1p(-rate))
        for count in range(events, trials + 1)
    )
    return min(1.0, math.fsum(terms))


def difference_at_most(table: Table, *, confidence: float) -> float:
    """The upper limit of the new release's rate minus the old one's; 1 without trials of both."""
    if not table.old_trials or not table.new_trials:
        return 1.0
    z = NormalDist().inv_cdf(confidence)
    old, new = table.old_events / table.old_trials, table.new_events / table.new_trials
    old_least, _ = _wilson(old, table.old_trials, z)
    _, new_most = _wilson(new, table.new_trials, z)
    return new - old + math.hypot(new_most - new, old - old_least)


def _wilson(rate: float, trials: int, z: float) -> tuple[float, float]:
    middle = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return (middle - half) / scale, (middle + half) / scale


def _hypergeometric(table: Table) -> tuple[int, list[float]]:
    """The least possible number of the new release's events, and the probabilities from there on."""
    events = table.old_events + table.new_events
    least, most = max(0, events - table.old_trials), min(events, table.new_trials)
    whole = _log_choose(table.old_trials + table.new_trials, events)
    return least, [
        math.exp(_log_choose(table.new_trials, count) + _log_choose(table.old_trials, events - count) - whole)
        for count in range(least, most + 1)
    ]


def _log_choose(of: int, count: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)


def _convolved(first: Sequence[float], second: Sequence[float]) -> list[float]:
    result = [0.0] * (len(first) + len(second) - 1)
    for index, left in enumerate(first):
        for shift, right in enumerate(second):
            result[index + shift] += left * right
    return result
