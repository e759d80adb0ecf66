"""The costs of a visit are computed from samples with known costs, and a wrong prediction is found."""

import pytest

from perf.load.calibrate import costs, verdicts
from perf.load.profiles import Goals, Phase, Profile
from perf.load.sampler import Sample, Use
from perf.load.samples import Recorder
from perf.load.verdicts import Measured

_PHASE_SECONDS = 40
_PROFILE = Profile(
    name="capacity",
    requirement="R7.5",
    question="?",
    phases=tuple(
        Phase(name=f"{rate:g} a second", seconds=_PHASE_SECONDS, visits_per_second=rate) for rate in (0, 1, 2, 4)
    ),
    goals=Goals(calibrates=True),
)
_EACH, _IDLE = {"API": 0.1, "worker": 0.05, "Redis": 0.01}, {"API": 0.02, "worker": 0.0, "Redis": 0.01}


def measured(*, extra: float = 0.0) -> Measured:
    """Every visit costs `_EACH`; in the last phase the API uses so much more than that."""
    recorder, samples = Recorder(), list[Sample]()
    used, visits = dict.fromkeys(_EACH, 0.0), 0.0
    for second in range(_PHASE_SECONDS * len(_PROFILE.phases) + 1):
        samples.append(
            Sample(
                at=second,
                machine_seconds=sum(used.values()),
                parts={
                    part: Use(cpu_seconds=seconds, private_bytes=round(1e6 + 500 * visits), files=1)
                    for part, seconds in used.items()
                },
                gauges={
                    "attempts": visits,
                    "seconds of attempts": 0.2 * visits,
                    "seconds with a connection": 0.03 * visits,
                    "bytes of the database": 1e7 + 900 * visits,
                },
            )
        )
        index = min(second // _PHASE_SECONDS, len(_PROFILE.phases) - 1)
        rate = int(_PROFILE.phases[index].visits_per_second)
        for part, each in _EACH.items():
            used[part] += _IDLE[part] + rate * each
        if index == len(_PROFILE.phases) - 1:
            used["API"] += extra
        visits += rate
        for number in range(rate):
            at = second + number / rate
            recorder.add("page", intended=at, ended=at + 0.1, outcome="right")
            recorder.add("upload", intended=at, ended=at + 0.1, outcome="right")
    return Measured(profile=_PROFILE, recorder=recorder, samples=samples, cores=2)


def test_the_costs_are_found_again() -> None:
    found = costs(measured(), "for this test")

    assert found.cores == pytest.approx(_EACH, abs=0.002)
    assert found.idle_cores == pytest.approx(_IDLE, abs=0.005)
    assert (found.requests, found.reading_seconds) == pytest.approx((2, 0.2))
    assert (found.redis_bytes, found.connection_seconds) == pytest.approx((500, 0.03), rel=0.05)


def test_a_straight_line_predicts_itself() -> None:
    assert [verdict.passed for verdict in verdicts(measured())] == [True, True, True]


def test_costs_that_grow_with_the_load_are_found() -> None:
    """The largest load uses two cores more than the smaller ones predict."""
    assert verdicts(measured(extra=2.0))[-1].passed is False
