"""Counts of what instances answered in a period, by subject: a method and route, or a kind of document. Pure code."""

from collections.abc import Iterable, Mapping

import msgspec


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Trials of one subject, such as requests of a route, and its events by name, such as `faults`.

    An event that has no meaning for the subject, as slowness for a stream, is left out: 0 says that it was looked for.
    """

    trials: int
    events: Mapping[str, int]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of both releases in the same period, by subject."""

    old: Mapping[str, Count]
    new: Mapping[str, Count]


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one subject. `within`: by upper bound in seconds, how many took at most that long."""

    requests: int
    faults: int
    within: Mapping[float, int]

    def slower_than(self, seconds: float) -> int:
        """`seconds` is one of the bounds."""
        return self.requests - min(self.within[seconds], self.requests)

    def quantile(self, share: float) -> float | None:
        """An estimate within the bounds, as `histogram_quantile` of Prometheus makes it; None without requests."""
        wanted, below, least = share * self.requests, 0, 0.0
        if not self.requests:
            return None
        for bound, count in sorted(self.within.items()):
            if count >= wanted and count > below:
                return least + (bound - least) * (wanted - below) / (count - below)
            below, least = count, bound
        return least


def together(histograms: Iterable[Histogram]) -> Histogram:
    """The sum."""
    known = list(histograms)
    bounds = {bound for each in known for bound in each.within}
    return Histogram(
        requests=sum(each.requests for each in known),
        faults=sum(each.faults for each in known),
        within={bound: sum(each.within.get(bound, each.requests) for each in known) for bound in bounds},
    )
