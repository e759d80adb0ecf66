"""Counts requests and answers by second, in bounded memory."""

import math
from collections import Counter
from dataclasses import dataclass, field

OUTCOMES = ("right", "limited", "failed", "wrong")
#: Latencies are kept by their logarithm: 400 classes of 3.5 % from 0.1 ms to 100 s.
_CLASSES, _LEAST_SECONDS, _FACTOR = 400, 0.0001, 1.035


def class_of(seconds: float) -> int:
    """The class whose bound is the first that is not below `seconds`."""
    if seconds <= _LEAST_SECONDS:
        return 0
    return min(_CLASSES - 1, math.ceil(math.log(seconds / _LEAST_SECONDS) / math.log(_FACTOR) - 1e-9))


def bound_of(number: int) -> float:
    """The longest time of this class, in seconds."""
    return _LEAST_SECONDS * _FACTOR**number


@dataclass
class Latencies:
    """Counts by class; a quantile is at most 3.5 % too long and never too short, up to 100 s."""

    counts: Counter[int] = field(default_factory=Counter[int])
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[class_of(seconds)] += 1
        self.longest = max(self.longest, seconds)

    def merge(self, other: "Latencies") -> None:
        self.counts.update(other.counts)
        self.longest = max(self.longest, other.longest)

    def __len__(self) -> int:
        return self.counts.total()

    def quantile(self, part: float) -> float:
        """The quantile in seconds; 0 if nothing was counted."""
        wanted, seen = part * self.counts.total(), 0
        for number in sorted(self.counts):
            seen += self.counts[number]
            if seen >= wanted:
                return min(bound_of(number), self.longest)
        return 0.0


@dataclass
class Requests:
    """`latencies` are of answers that were right; a refusal is quick and must not make the rest look better."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    latencies: Latencies = field(default_factory=Latencies)

    def merge(self, other: "Requests") -> None:
        self.outcomes.update(other.outcomes)
        self.latencies.merge(other.latencies)


class Recorder:
    """Takes each request once. Times are in seconds after the start of the load."""

    def __init__(self) -> None:
        self.seconds: dict[int, dict[str, Requests]] = {}
        self.reasons: Counter[str] = Counter()
        #: Jobs whose uploads were accepted: each must end right, or failed with a reason.
        self.accepted: list[str] = []
        self.last_finished = 0.0

    def add(self, name: str, *, intended: float, ended: float, outcome: str, reason: str = "") -> None:
        """`intended` is when the request should have begun: waiting for a busy sender counts as waiting."""
        here = self.seconds.setdefault(int(intended), {}).setdefault(name, Requests())
        here.outcomes[outcome] += 1
        if outcome == "right":
            here.latencies.add(ended - intended)
        if reason:
            self.reasons[f"{name}: {reason}"] += 1

    def between(self, begin: float, end: float) -> dict[str, Requests]:
        """Everything that was intended from `begin` to before `end`, by name."""
        found: dict[str, Requests] = {}
        for second, by_name in self.seconds.items():
            if begin <= second < end:
                for name, requests in by_name.items():
                    found.setdefault(name, Requests()).merge(requests)
        return found


def together(by_name: dict[str, Requests], *, without: frozenset[str] = frozenset()) -> Requests:
    """The requests of all names together."""
    whole = Requests()
    for name, requests in by_name.items():
        if name not in without:
            whole.merge(requests)
    return whole
