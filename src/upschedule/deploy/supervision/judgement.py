"""Decides whether a promoted release is worse than the previous one, or than the absolute limits. Pure functions."""

from collections.abc import Iterator, Sequence

from upschedule.deploy.comparison.measured import FAULTS, slower_than
from upschedule.deploy.comparison.statistics import Table, chance_of_events, chance_of_excess
from upschedule.deploy.comparison.traffic import Histogram, together
from upschedule.deploy.supervision.figures import Figures
from upschedule.deploy.supervision.limits import Limit, WatchLimits

#: An event in fewer slices may come from one pause of a node, or from one person.
_SLICES_MIN = 3
_STREAM = "/stream"
_NONE = Histogram(requests=0, faults=0, within={})


def complaints(figures: Figures, limits: WatchLimits) -> list[str]:
    """A sentence for each figure of a route that exceeds its limits.

    The releases did not serve in the same minutes, so the slice with most events is ignored.
    """
    routes = sorted({route for each in figures.slices for route in each})
    tests = max(1, len(routes) * len(limits.events()))
    chance_max = limits.false_alarm_max / (tests * limits.looks)
    return [
        f"{route}: {sentence}"
        for route in routes
        for sentence in _of_route(
            figures.before.get(route, _NONE),
            [each[route] for each in figures.slices if route in each],
            _bounds(route, limits),
            chance_max=chance_max,
        )
    ]


def _bounds(route: str, limits: WatchLimits) -> dict[float | None, Limit]:
    """The limits by the bound in seconds; None means faults. Status streams have no bounds."""
    events = limits.events()
    slow = () if route.endswith(_STREAM) else limits.slower_than_seconds
    return {None: events[FAULTS], **{each: events[slower_than(each)] for each in slow}}


def _of_route(
    before: Histogram,
    slices: Sequence[Histogram],
    bounds: dict[float | None, Limit],
    *,
    chance_max: float,
) -> Iterator[str]:
    for bound, limit in bounds.items():
        with_events = sum(_events(each, bound) > 0 for each in slices)
        kept = together(sorted(slices, key=lambda each: _events(each, bound))[:-1])
        if with_events < _SLICES_MIN or not kept.requests:
            continue
        table = Table(
            old_trials=before.requests,
            old_events=_events(before, bound),
            new_trials=kept.requests,
            new_events=_events(kept, bound),
        )
        if _is_worse(table, limit, chance_max) or _is_too_much(table, limit, chance_max):
            yield _sentence(table, bound, limit)


def _is_worse(table: Table, limit: Limit, chance_max: float) -> bool:
    """Whether it is worse than the release before by more than the limit."""
    exceeds = table.new_events / table.new_trials > _ratio_before(table) + limit.more_max
    return table.old_trials > 0 and exceeds and chance_of_excess([table]) <= chance_max


def _is_too_much(table: Table, limit: Limit, chance_max: float) -> bool:
    """Whether it exceeds the absolute limit, unless the release before was no better."""
    tolerable = max(limit.ratio_max, _ratio_before(table))
    return chance_of_events(table.new_trials, table.new_events, rate=tolerable) <= chance_max


def _ratio_before(table: Table) -> float:
    return table.old_events / table.old_trials if table.old_trials else 0.0


def _events(histogram: Histogram, bound: float | None) -> int:
    if bound is None:
        return histogram.faults
    return histogram.slower_than(bound) if bound in histogram.within else 0


def _sentence(table: Table, bound: float | None, limit: Limit) -> str:
    event = FAULTS if bound is None else slower_than(bound)
    before = (
        f"{table.old_events} of {table.old_trials} before the promotion" if table.old_trials else "no figures before"
    )
    tolerable = f"tolerable: {limit.ratio_max:.0%}, or {limit.more_max:.0%} more than before"
    return f"{event} {table.new_events} of {table.new_trials} against {before} ({tolerable})"
