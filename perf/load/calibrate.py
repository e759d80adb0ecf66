"""Derives the costs of a visit from phases of different load, and checks that they predict each other. Pure code."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from perf.load.profiles import Phase
from perf.load.sampler import ATTEMPT_SECONDS, ATTEMPTS, CONNECTION_SECONDS, Sample
from perf.load.verdicts import DATABASE, OTHERS, Measured, Verdict
from upschedule.sizing.costs import Costs

#: Of a phase, while those of the phase before are still there.
SETTLING_SECONDS = 10.0
#: A prediction that is further off means that costs do not grow in a straight line with the load.
ERROR_MAX = 0.2
_SENDER = "sender"


@dataclass(frozen=True)
class Point:
    """The resources that one phase has used; `cores` is by part, without the sender and other programs."""

    name: str
    visits_per_second: float
    cores: dict[str, float]


@dataclass(frozen=True)
class Line:
    """Cores in use at a rate of visits: `idle + rate * each`."""

    each: float
    idle: float

    def at(self, visits_per_second: float) -> float:
        return self.idle + self.each * visits_per_second


def points(measured: Measured) -> list[Point]:
    """One for each phase."""
    return [_point(measured, phase) for phase in measured.profile.phases]


def fit(found: Sequence[Point], part: str) -> Line:
    """The straight line with the least squares, which never starts below 0."""
    rates = [point.visits_per_second for point in found]
    slope, intercept = statistics.linear_regression(rates, [point.cores.get(part, 0.0) for point in found])
    return Line(max(0.0, slope), max(0.0, intercept))


def costs(measured: Measured, described: str) -> Costs:
    """`described` names the machine and the commit."""
    found = points(measured)
    parts = sorted({part for point in found for part in point.cores})
    lines = {part: fit(found, part) for part in parts}
    requests = measured.requests(0.0)
    visits = requests["page"].outcomes.total()
    sent = sum(each.outcomes.total() for name, each in requests.items() if name != "upload to finished")
    first, last = measured.samples[0], measured.samples[-1]
    return Costs(
        measured=described,
        requests=sent / visits,
        cores={part: round(line.each, 5) for part, line in lines.items()},
        idle_cores={part: round(line.idle, 4) for part, line in lines.items()},
        reading_seconds=_gain(ATTEMPT_SECONDS, first, last) / max(1.0, _gain(ATTEMPTS, first, last)),
        connection_seconds=_gain(CONNECTION_SECONDS, first, last) / visits,
        redis_bytes=max(0.0, (last.parts["Redis"].private_bytes - first.parts["Redis"].private_bytes) / visits),
        database_bytes=_gain(DATABASE, first, last) / visits,
    )


def verdicts(measured: Measured) -> list[Verdict]:
    """Compares, for each phase with visitors, the cores that the other phases predict with those that were used."""
    found = points(measured)
    parts = {part for point in found for part in point.cores}
    results: list[Verdict] = []
    for left_out in found:
        if not left_out.visits_per_second:
            continue
        others = [point for point in found if point is not left_out]
        predicted = sum(fit(others, part).at(left_out.visits_per_second) for part in parts)
        used = sum(left_out.cores.values())
        error = abs(predicted - used) / used
        results.append(
            Verdict(
                f"cores at {left_out.name}, predicted from the other phases",
                f"within {ERROR_MAX:.0%}",
                f"{predicted:.2f}, used {used:.2f}: {error:.0%} off",
                error <= ERROR_MAX,
            )
        )
    return results


def _point(measured: Measured, phase: Phase) -> Point:
    begin = measured.profile.starts_of()[phase.name] + min(SETTLING_SECONDS, phase.seconds / 3)
    end = measured.profile.starts_of()[phase.name] + phase.seconds
    pages = measured.requests(begin, end).get("page")
    busy = measured.busy(begin, end)
    return Point(
        phase.name,
        pages.outcomes.total() / (end - begin) if pages else 0.0,
        {part: used for part, used in busy.items() if part not in {_SENDER, OTHERS}},
    )


def _gain(gauge: str, first: Sample, last: Sample) -> float:
    return max(0.0, last.gauges.get(gauge, 0.0) - first.gauges.get(gauge, 0.0))
