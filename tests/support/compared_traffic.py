"""Simulated visitors of an old and a new release on one busy machine, with a seeded generator."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from upschedule.deploy.comparison.measured import FAULTS, slower_than
from upschedule.deploy.comparison.traffic import Count, Slice

BOUNDS = (0.5, 1.0, 2.0, 5.0)
#: Share of the requests, median seconds, and spread of the logarithm, by route: uploads are slow, static files are not.
ROUTES = {
    "GET /": (0.25, 0.03, 0.7),
    "GET /static/{path}": (0.3, 0.004, 0.7),
    "GET /api/v1/jobs/{job_id}": (0.2, 0.012, 0.8),
    "GET /calendars/{file_name}": (0.12, 0.02, 0.8),
    "POST /api/v1/uploads": (0.05, 0.2, 1.0),
    "POST /api/v1/calendars": (0.03, 0.05, 0.8),
    "GET /api/v1/capacity": (0.05, 0.006, 0.7),
}

#: Seconds and whether it is a fault, of one answer, which it may change.
Change = Callable[[random.Random, str, float], tuple[float, bool]]


def good(_: random.Random, __: str, seconds: float) -> tuple[float, bool]:
    """Traffic that is as good as that of the old release."""
    return seconds, False


def delaying(one_in: int, by_seconds: float) -> Change:
    """Delays one request in so many."""
    return lambda chance, _, seconds: (seconds + by_seconds * (chance.random() < 1 / one_in), False)


def failing(one_in: int, route: str = "") -> Change:
    """Answers one request in so many with a fault; only on one route, if one is named."""
    return lambda chance, asked, seconds: (seconds, route in {"", asked} and chance.random() < 1 / one_in)


def slower(factor: float) -> Change:
    """Takes longer for each answer."""
    return lambda _, __, seconds: (seconds * factor, False)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """`per_second` requests together, of which the new release gets `share`; each slice is 10 s.

    The machine pauses for up to two seconds in one slice of five: half of these pauses delay both releases, as the
    processor does, half one of them alone, as its collection of garbage does. One request in 1,000 fails in both.
    """

    change: Change
    seed: int
    share: float = 0.2
    per_second: float = 20.0
    seconds: float = 10.0
    shares: Sequence[float] = field(default_factory=tuple[float, ...])

    def slices(self, count: int) -> Iterator[Slice]:
        chance = random.Random(self.seed)  # noqa: S311 -- it simulates, and must be repeatable
        for number in range(count):
            share = self.shares[number] if number < len(self.shares) else self.share
            old, new = _pauses(chance)
            total = int(self.per_second * self.seconds)
            yield Slice(
                old=self._side(chance, round(total * (1 - share)), old, good),
                new=self._side(chance, round(total * share), new, self.change),
            )

    def _side(self, chance: random.Random, requests: int, pause: float, change: Change) -> dict[str, Count]:
        names, weights = list(ROUTES), [weight for weight, _, _ in ROUTES.values()]
        trials: dict[str, int] = {}
        events: dict[str, dict[str, int]] = {}
        for route in chance.choices(names, weights, k=requests):
            _, median, spread = ROUTES[route]
            seconds = median * chance.lognormvariate(0, spread)
            # Who asks during the pause waits for its end.
            seconds += max(0.0, pause - chance.random() * self.seconds)
            seconds, fault = change(chance, route, seconds)
            fault = fault or chance.random() < 0.001
            trials[route] = trials.get(route, 0) + 1
            found = events.setdefault(route, {})
            for name, occurred in [(FAULTS, fault), *((slower_than(each), seconds > each) for each in BOUNDS)]:
                found[name] = found.get(name, 0) + occurred
        return {route: Count(trials=count, events=events[route]) for route, count in trials.items()}


def _pauses(chance: random.Random) -> tuple[float, float]:
    """The pauses of the old release and of the new one in one slice."""
    if chance.random() >= 0.2:
        return 0.0, 0.0
    length = 2 * chance.random()
    kind = chance.random()
    return (length, length) if kind < 0.5 else (length, 0.0) if kind < 0.75 else (0.0, length)
