"""Formats the comparison of the visitors' requests as text and figures. Pure functions."""

from collections.abc import Iterator

import msgspec

from upschedule.deploy.comparison.measured import FAULTS, Period, without_streams
from upschedule.deploy.comparison.statistics import Table
from upschedule.deploy.comparison.traffic import Histogram, together
from upschedule.deploy.comparison.verdict import ALL, Comparison, Measure

_EMPTY = Histogram(requests=0, faults=0, within={})
#: Smaller chances are shown as this one.
_CHANCE_MIN = 1e-9


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one release. Percentiles are in seconds, None without requests."""

    requests: int
    faults: int
    p50: float | None
    p95: float | None
    p99: float | None


class RouteFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements of both releases over the same time."""

    route: str
    old: Figures
    canary: Figures


def figures(both: Period) -> list[RouteFigures]:
    """The figures of all requests except streams, then of each route, the busiest first."""
    routes = sorted(
        {*both.old, *both.new},
        key=lambda each: -both.old.get(each, _EMPTY).requests - both.new.get(each, _EMPTY).requests,
    )
    return [
        RouteFigures(route=ALL, old=_figures(without_streams(both.old)), canary=_figures(without_streams(both.new))),
        *(
            RouteFigures(
                route=each, old=_figures(both.old.get(each, _EMPTY)), canary=_figures(both.new.get(each, _EMPTY))
            )
            for each in routes
        ),
    ]


def lines(found: list[RouteFigures]) -> Iterator[str]:
    """A table of text, two lines for each route."""
    width = max(len(each.route) for each in found)
    yield f"  {'':{width}}  {'release':7}  {'requests':>8}  {'faults':>6}  {'p50':>8}  {'p95':>8}  {'p99':>8}"
    for each in found:
        for name, side in (("old", each.old), ("canary", each.canary)):
            times = "  ".join(f"{_seconds(value):>8}" for value in (side.p50, side.p95, side.p99))
            route = each.route if name == "old" else ""
            yield f"  {route:{width}}  {name:7}  {side.requests:8}  {side.faults:6}  {times}"


def describe_overall(comparison: Comparison, both: Period, *, canary: int, old: int) -> str:
    """The certainty and the number of requests; `canary` and `old` are the requests that the gate itself sent."""
    new_all, old_all = together(both.new.values()), together(both.old.values())
    sent = f"{new_all.requests} requests (the gate's own: {min(canary, new_all.requests)})"
    beside = f"{old_all.requests} of the old release (the gate's own: {min(old, old_all.requests)})"
    limits = ", ".join(
        f"{each.event} at most {max(0.0, each.more_at_most):.1%} more often" for each in comparison.overall
    )
    return f"{comparison.verdict.value} after {sent} beside {beside}: {limits}"


def describe_measure(measure: Measure, both: Period) -> str:
    """One figure that makes the release worse, with both releases' numbers."""
    subject = "all requests" if measure.subject == ALL else measure.subject
    sentence = f"{subject}: {measure.event} {ratio(measure.table)}, by chance once in {once_in(measure.chance)}"
    if measure.event == FAULTS:
        return sentence
    everything = measure.subject == ALL
    new = without_streams(both.new) if everything else both.new.get(measure.subject, _EMPTY)
    old = without_streams(both.old) if everything else both.old.get(measure.subject, _EMPTY)
    return f"{sentence}; p99 {_seconds(new.quantile(0.99))} against {_seconds(old.quantile(0.99))}"


def _figures(histogram: Histogram) -> Figures:
    return Figures(
        requests=histogram.requests,
        faults=histogram.faults,
        p50=histogram.quantile(0.5),
        p95=histogram.quantile(0.95),
        p99=histogram.quantile(0.99),
    )


def ratio(table: Table) -> str:
    """The numbers of both releases."""
    return f"{table.new_events} of {table.new_trials} against {table.old_events} of {table.old_trials}"


def once_in(chance: float) -> str:
    """Formats a chance as the number of comparisons in which it occurs once."""
    return f"{1 / max(chance, _CHANCE_MIN):,.0f} such comparisons"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"
