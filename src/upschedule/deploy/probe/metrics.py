"""The canary's errors and latency, as the gate saw them and as Prometheus counted them. Pure."""

import math
from collections.abc import Collection, Sequence

import msgspec

from upschedule.deploy.explain import short
from upschedule.deploy.findings import Finding
from upschedule.deploy.probe.client import Seen
from upschedule.deploy.prometheus import Counted

_QUANTILE = 0.95


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a canary may do and still be promoted. The slowest answers are those of R7.1."""

    error_ratio_max: float = 0.01
    p95_seconds_max: float = 2.0


def by_ourselves(seen: Sequence[Seen], bounds: Bounds) -> Finding:
    """Of all requests of the gate."""
    errors = [each for each in seen if each.is_error]
    ratio, slowest = len(errors) / max(len(seen), 1), p95([each.seconds for each in seen])
    said = f"{len(errors)} of {len(seen)} requests failed, 95 % were answered within {slowest:.2f} s"
    if errors:
        first = errors[0]
        said += f"; first: {first.request} answered {first.status or 'nothing'} {first.detail}".rstrip()
    good = bool(seen) and ratio <= bounds.error_ratio_max and slowest <= bounds.p95_seconds_max
    return Finding(checked="requests of the gate", ok=good, said=said + ("" if good else _allowed(bounds)))


def by_prometheus(counted: Counted, bounds: Bounds, *, sent: int) -> Finding:
    """`sent`: requests that the gate made. Where fewer were counted, the figures tell nothing yet."""
    checked = "canary in Prometheus"
    if counted.requests is None or counted.errors is None:
        return Finding(checked=checked, ok=False, said="no data: the canary is not scraped, or not labelled as one")
    if counted.requests < 0:
        return Finding(checked=checked, ok=False, said="its counters began anew: the canary was restarted meanwhile")
    if counted.requests < sent or counted.p95_seconds is None:
        said = f"only {counted.requests:g} of at least {sent} requests were counted: its data are missing or late"
        return Finding(checked=checked, ok=False, said=said)
    ratio = counted.errors / max(counted.requests, 1)
    said = f"{counted.errors:g} of {counted.requests:g} answers were faults, 95 % within {counted.p95_seconds:.2f} s"
    good = ratio <= bounds.error_ratio_max and counted.p95_seconds <= bounds.p95_seconds_max
    return Finding(checked=checked, ok=good, said=said + ("" if good else _allowed(bounds)))


def by_instance(seen: Sequence[Seen], expected: Collection[str], *, what: str) -> Finding:
    """Whether the answers came from these allocations and no other; no answer at all is not their fault."""
    answers = [each for each in seen if each.status]
    others = sorted({each.instance for each in answers} - set(expected))
    from_them = sum(each.instance in expected for each in answers)
    said = f"{from_them} of {len(answers)} answers came from {what}"
    if others:
        names = ", ".join(short(each) or "an instance that does not say its name" for each in others)
        said += f", others from {names}"
    return Finding(checked=f"answers of {what}", ok=bool(answers) and not others, said=said)


def p95(seconds: Sequence[float]) -> float:
    """Nearest rank; 0 for none."""
    return sorted(seconds)[math.ceil(_QUANTILE * len(seconds)) - 1] if seconds else 0.0


def _allowed(bounds: Bounds) -> str:
    return f" (allowed: {bounds.error_ratio_max:.1%} and {bounds.p95_seconds_max:g} s)"
