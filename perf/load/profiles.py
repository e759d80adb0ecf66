"""Defines for each load test what it sends, and its goals. Pure functions."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Phase:
    """`visits_per_second` new visitors arrive, whether those before them have finished or not (an open model)."""

    name: str
    seconds: float
    visits_per_second: float


@dataclass(frozen=True, kw_only=True)
class Goals:
    """Upper bounds in seconds, by the name of a request; a wrong or failed answer is never accepted.

    `recovery_seconds`: from the end of the phase `peak` until the service is as fast as before it (R7.3).
    `finished_seconds`: from the first upload until every document is read (R1.1).
    `keeps_limit`: in the phase `beyond`, the limit of all requests together is used and never exceeded (R5.4).
    """

    p95_seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    recovery_seconds: float | None = None
    finished_seconds: float | None = None
    keeps_limit: bool = False
    finds_limit: bool = False
    finds_growth: bool = False
    calibrates: bool = False


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Either `phases` of an open model, or `users` who come again and again for `seconds` (a closed model).

    `warm_up_seconds` at the beginning are sent, but not judged. With the limits of production (`raised_limits` is
    false) a profile measures the limits, and without them the system behind.
    """

    name: str
    requirement: str
    question: str
    phases: tuple[Phase, ...] = ()
    users: int = 0
    seconds: float = 0.0
    warm_up_seconds: float = 0.0
    raised_limits: bool = True
    goals: Goals

    @property
    def duration_seconds(self) -> float:
        return self.seconds or sum(phase.seconds for phase in self.phases)

    def starts_of(self) -> dict[str, float]:
        """The beginning of each phase, in seconds after the start."""
        ends = itertools.accumulate((phase.seconds for phase in self.phases), initial=0.0)
        return {phase.name: begin for phase, begin in zip(self.phases, ends, strict=False)}


def arrivals(phases: tuple[Phase, ...], seed: int) -> Iterator[float]:
    """The arrival of each visitor, in seconds after the start: a Poisson process, the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - varied, not secret
    begin = 0.0
    for phase in phases:
        at, end = begin, begin + phase.seconds
        if phase.visits_per_second > 0:
            while (at := at + rng.expovariate(phase.visits_per_second)) < end:
                yield at
        begin = end


#: The goals of a quiet service; R7.1 itself allows 2 s.
_QUIET = {
    "page": 2.0,
    "upload": 2.0,
    "stream": 2.0,
    "status": 2.0,
    "timetable": 2.0,
    "calendar": 2.0,
    "feed": 2.0,
    "unchanged feed": 2.0,
}

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="baseline",
            requirement="R7.1",
            question="Is the service fast for ten users?",
            users=10,
            seconds=120,
            warm_up_seconds=10,
            goals=Goals(p95_seconds=_QUIET),
        ),
        Profile(
            name="stress",
            requirement="R7.2",
            question="At which load does the service break, what breaks first, and is any data wrong then?",
            phases=tuple(
                Phase(name=f"{rate:g} a second", seconds=30, visits_per_second=rate)
                for rate in (2, 4, 8, 12, 16, 20, 24, 32)
            ),
            goals=Goals(finds_limit=True),
        ),
        Profile(
            name="spike",
            requirement="R7.3",
            question="How long does the service need after ten times its load?",
            phases=(
                Phase(name="before", seconds=60, visits_per_second=0.5),
                Phase(name="peak", seconds=30, visits_per_second=5.0),
                Phase(name="after", seconds=120, visits_per_second=0.5),
            ),
            warm_up_seconds=5,
            goals=Goals(recovery_seconds=120.0),
        ),
        Profile(
            name="soak",
            requirement="R7.4",
            question="Does anything grow over two hours?",
            users=10,
            seconds=7200,
            warm_up_seconds=300,
            goals=Goals(p95_seconds=_QUIET, finds_growth=True),
        ),
        Profile(
            name="uploads",
            requirement="R1.1",
            question="How long do 1,000 uploads take that arrive within ten minutes?",
            phases=(Phase(name="uploads", seconds=600, visits_per_second=1000 / 600),),
            goals=Goals(p95_seconds={"upload to finished": 10.0}, finished_seconds=900.0),
        ),
        Profile(
            name="limits",
            requirement="R5.4",
            question="Do the limits of production hold, and does the service stay fast behind them?",
            phases=(
                Phase(name="within", seconds=30, visits_per_second=5.0),
                Phase(name="beyond", seconds=60, visits_per_second=40.0),
                Phase(name="within again", seconds=30, visits_per_second=5.0),
            ),
            warm_up_seconds=5,
            raised_limits=False,
            goals=Goals(p95_seconds={"page": 2.0, "status": 2.0}, keeps_limit=True),
        ),
        Profile(
            name="capacity",
            requirement="R7.5",
            question="What does a visit cost, and do small loads predict larger ones?",
            phases=tuple(
                Phase(name=f"{rate:g} a second", seconds=40, visits_per_second=rate)
                for rate in (0, 0.5, 1, 1.5, 2, 2.5)
            ),
            goals=Goals(calibrates=True),
        ),
    )
}
