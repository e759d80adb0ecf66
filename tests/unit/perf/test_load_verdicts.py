"""Each verdict of a load test has figures that pass, and close ones that do not."""

import random
from collections.abc import Callable, Iterator

import pytest

from perf.load.integrity import unreachable
from perf.load.profiles import Goals, Phase, Profile
from perf.load.report import Run
from perf.load.sampler import Sample, Spent, Use
from perf.load.samples import Latencies, Recorder
from perf.load.verdicts import Measured, bottleneck, growth, held_and_broken, recovery, verdicts

_NO_GOALS = Goals()


@pytest.mark.parametrize("part", [0.5, 0.95, 0.99, 1.0])
def test_a_quantile_is_never_too_short_and_at_most_3_5_percent_too_long(part: float) -> None:
    rng = random.Random(1)  # noqa: S311 - varied, not secret
    times = sorted(rng.lognormvariate(-3, 1.5) for _ in range(5000))
    latencies = Latencies()
    for time in times:
        latencies.add(time)
    exact = times[max(0, int(part * len(times)) - 1)]
    assert exact <= latencies.quantile(part) <= 1.036 * exact
    assert latencies.longest == times[-1]


def test_waiting_for_a_busy_sender_counts() -> None:
    """There is no coordinated omission: a visitor who was due at 3 s and was served from 8 to 9 s has waited 6 s."""
    recorder = Recorder()
    recorder.add("page", intended=3.0, ended=9.0, outcome="right")
    (requests,) = recorder.between(3, 4).values()
    assert requests.latencies.longest == 6.0


def _profile(*phases: Phase, goals: Goals = _NO_GOALS, users: int = 0, seconds: float = 0.0) -> Profile:
    return Profile(
        name="test", requirement="R7", question="?", phases=phases, users=users, seconds=seconds, goals=goals
    )


def _visits(recorder: Recorder, begin: float, end: float, *, page: float, finished: float, step: float = 0.25) -> None:
    at = begin
    while at < end:
        recorder.add("page", intended=at, ended=at + page, outcome="right")
        recorder.add("upload to finished", intended=at, ended=at + finished, outcome="right")
        at += step


def _measured(profile: Profile, recorder: Recorder, samples: tuple[Sample, ...] = ()) -> Measured:
    return Measured(profile=profile, recorder=recorder, samples=samples, cores=2)


@pytest.mark.parametrize(("seconds", "passed"), [(0.9, True), (1.1, False)])
def test_a_goal_of_a_quantile(seconds: float, *, passed: bool) -> None:
    recorder = Recorder()
    _visits(recorder, 0, 10, page=seconds, finished=1)
    found = verdicts(_measured(_profile(users=1, seconds=10, goals=Goals(p95_seconds={"page": 1.0})), recorder))
    assert [verdict.passed for verdict in found] == [True, passed]


def test_a_goal_of_what_was_never_asked_is_not_met() -> None:
    found = verdicts(_measured(_profile(users=1, seconds=10, goals=Goals(p95_seconds={"feed": 1.0})), Recorder()))
    assert found[-1].passed is False


@pytest.mark.parametrize("outcome", ["failed", "wrong"])
def test_one_bad_answer_is_one_too_many(outcome: str) -> None:
    recorder = Recorder()
    _visits(recorder, 0, 10, page=0.1, finished=1)
    recorder.add("feed", intended=5, ended=5.1, outcome=outcome, reason="?")
    recorder.add("feed", intended=5, ended=5.1, outcome="limited", reason="429")
    found = verdicts(_measured(_profile(users=1, seconds=10), recorder))
    assert (found[0].passed, found[0].measured) == (False, "1 of 82")


def test_a_service_whose_database_is_away_after_the_load_has_failed_and_has_a_report() -> None:
    """Otherwise all measurements of two hours would be lost."""
    recorder = Recorder()
    _visits(recorder, 0, 10, page=0.1, finished=1)
    run = Run(
        measured=_measured(_profile(users=1, seconds=10), recorder),
        began="2026-11-30 10:00",
        commit="test",
        settings={},
        integrity=unreachable(),
        before=None,
    )
    assert not run.passed
    assert run.verdicts[-1].measured == "database unreachable: 1"


_STEPS = tuple(Phase(name=f"{rate} a second", seconds=10, visits_per_second=rate) for rate in (1, 2, 4))


def _fails_some(recorder: Recorder) -> None:
    _visits(recorder, 10, 20, page=0.1, finished=1)
    recorder.add("page", intended=12, ended=13, outcome="failed", reason="?")
    recorder.add("page", intended=12, ended=13, outcome="limited", reason="503")


def _is_slow(recorder: Recorder) -> None:
    _visits(recorder, 10, 20, page=0.1, finished=11)


def _never_finishes(recorder: Recorder) -> None:
    for at in range(10, 20):
        recorder.add("page", intended=at, ended=at + 0.1, outcome="right")


@pytest.mark.parametrize("breaks", [_fails_some, _is_slow, _never_finishes])
def test_the_first_load_that_is_not_served_is_found(breaks: Callable[[Recorder], None]) -> None:
    recorder = Recorder()
    _visits(recorder, 0, 10, page=0.1, finished=9)
    breaks(recorder)
    _visits(recorder, 20, 30, page=0.1, finished=1)
    assert held_and_broken(_measured(_profile(*_STEPS), recorder)) == (_STEPS[0], _STEPS[1])


def test_a_stress_test_that_breaks_nothing_has_found_no_limit() -> None:
    recorder = Recorder()
    _visits(recorder, 0, 30, page=0.1, finished=1)
    measured = _measured(_profile(*_STEPS, goals=Goals(finds_limit=True)), recorder)
    assert held_and_broken(measured) == (_STEPS[-1], None)
    assert verdicts(measured)[-1].passed is False


_SPIKE = (
    Phase(name="before", seconds=30, visits_per_second=4),
    Phase(name="peak", seconds=10, visits_per_second=40),
    Phase(name="after", seconds=60, visits_per_second=4),
)


@pytest.mark.parametrize("slow_seconds", [0, 15, 40])
def test_recovery_ends_when_two_windows_are_as_before(slow_seconds: float) -> None:
    recorder = Recorder()
    _visits(recorder, 0, 40, page=0.1, finished=1)
    _visits(recorder, 40, 40 + slow_seconds, page=0.1, finished=2)
    _visits(recorder, 40 + slow_seconds, 100, page=0.1, finished=1.2)
    assert recovery(_measured(_profile(*_SPIKE), recorder)) == slow_seconds


def test_a_service_that_stays_slow_or_gets_no_visitor_has_not_recovered() -> None:
    recorder = Recorder()
    _visits(recorder, 0, 40, page=0.1, finished=1)
    assert recovery(_measured(_profile(*_SPIKE), recorder)) is None
    _visits(recorder, 40, 100, page=0.5, finished=1)
    assert recovery(_measured(_profile(*_SPIKE), recorder)) is None


def _noisy(gain: float) -> Iterator[tuple[float, float]]:
    rng = random.Random(7)  # noqa: S311 - varied, not secret
    for second in range(7200):
        yield float(second), 100 + gain * second / 7200 + rng.gauss(0, 2)


@pytest.mark.parametrize(("gain", "grows"), [(0.0, False), (4.0, False), (6.0, True)])
def test_growth_counts_when_it_is_sure_and_matters(gain: float, *, grows: bool) -> None:
    times, values = zip(*_noisy(gain), strict=True)
    found = growth(times, values)
    assert found is not None
    assert abs(found.gain - gain) <= 1.5 * found.interval
    assert found.grows is grows


def test_growth_that_may_be_chance_does_not_count() -> None:
    rng = random.Random(3)  # noqa: S311 - varied, not secret
    values = [100 + rng.choice((-80, 80)) for _ in range(40)]
    found = growth(range(40), values)
    assert found is not None
    assert found.interval > abs(found.gain)
    assert not found.grows


@pytest.mark.parametrize(("seconds", "passed"), [(1700, None), (1900, False)])
def test_a_short_test_shows_growth_and_does_not_judge_it(seconds: int, passed: bool | None) -> None:  # noqa: FBT001
    samples = tuple(
        Sample(
            at=at,
            machine_seconds=0,
            parts={"API": Use(cpu_seconds=0, private_bytes=10**6 * at, files=20)},
            gauges={"share of dead rows": 0.1},
        )
        for at in range(0, seconds, 10)
    )
    profile = _profile(users=1, seconds=seconds, goals=Goals(finds_growth=True))
    found = {verdict.what: verdict.passed for verdict in verdicts(_measured(profile, Recorder(), samples))}
    assert found["memory of API, MB"] is passed
    assert found["open files of API"] is (None if passed is None else True)


@pytest.mark.parametrize(("ends_at", "passed"), [(3600, True), (7200, False)])
def test_two_hours_are_judged_after_the_first_one(ends_at: int, *, passed: bool) -> None:
    """Data that are kept for an hour grow until then; a leak goes on."""
    samples = tuple(
        Sample(
            at=at,
            machine_seconds=0,
            parts={"API": Use(cpu_seconds=0, private_bytes=10**6 + 1000 * min(at, ends_at), files=20)},
            gauges={},
        )
        for at in range(0, 7200, 10)
    )
    profile = _profile(users=1, seconds=7200, goals=Goals(finds_growth=True))
    found = {verdict.what: verdict.passed for verdict in verdicts(_measured(profile, Recorder(), samples))}
    assert found["memory of API, MB"] is passed


@pytest.mark.parametrize(("bytes_a_visit", "passed"), [(600, True), (4000, True), (6000, False)])
def test_redis_may_grow_by_the_sessions_of_its_visitors(bytes_a_visit: int, *, passed: bool) -> None:
    """They outlive the test, so that growth is right, and a leak is more than they need."""
    visits = 14_400
    recorder = Recorder()
    recorder.accepted.extend(str(number) for number in range(visits))
    samples = tuple(
        Sample(
            at=at,
            machine_seconds=0,
            parts={"Redis": Use(cpu_seconds=0, private_bytes=10**7 + visits * bytes_a_visit * at // 7200, files=20)},
            gauges={},
        )
        for at in range(0, 7200, 10)
    )
    profile = _profile(users=1, seconds=7200, goals=Goals(finds_growth=True))
    found = {verdict.what: verdict.passed for verdict in verdicts(_measured(profile, recorder, samples))}
    assert found["memory of Redis, MB"] is passed


def _samples(*, api: float, outside: float, waiting: float = 0, due: float = 0) -> tuple[Sample, ...]:
    def at(second: int) -> Sample:
        use = Use(cpu_seconds=api * second, private_bytes=0, files=0)
        gauges = {"requests that wait for a connection": waiting, "jobs due": due}
        return Sample(at=second, machine_seconds=(api + outside) * second, parts={"API": use}, gauges=gauges)

    return tuple(map(at, range(30)))


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (_samples(api=0.5, outside=1.4), "The processor is used up: 1.90 of 2 cores (other programs 1.40, API 0.50)"),
        (_samples(api=0.95, outside=0.1), "One API process can use one core, and does"),
        (_samples(api=0.5, outside=0.1, waiting=3), "Requests wait for a connection"),
        (_samples(api=0.5, outside=0.1, due=3), "Documents wait for a worker"),
        (_samples(api=0.5, outside=0.1), "None of processor, connections and workers"),
    ],
)
def test_what_is_used_up_is_named(samples: tuple[Sample, ...], words: str) -> None:
    assert bottleneck(_measured(_profile(*_STEPS), Recorder(), samples), _STEPS[1]).startswith(words)


def test_the_time_of_processes_that_ended_stays_in_the_sum() -> None:
    spent = Spent()
    assert spent.update({1: ("sandbox", 2.0), 2: ("API", 1.0)}) == {}
    assert spent.update({2: ("API", 1.5)}) == {"sandbox": 2.0}
    assert spent.update({}) == {"sandbox": 2.0, "API": 1.5}


@pytest.mark.parametrize(
    ("right", "limited", "passed"), [(95, 40, True), (70, 40, False), (110, 40, False), (95, 0, False)]
)
def test_a_limit_that_is_not_reached_exceeded_or_not_said_is_not_kept(
    right: int, limited: int, *, passed: bool
) -> None:
    """The default limit is 100 requests a second (R5.4); feeds are outside of it."""
    recorder = Recorder()
    for second in range(10):
        for outcome, count in (("right", right), ("limited", limited)):
            for _ in range(count):
                recorder.add("page", intended=second, ended=second + 0.01, outcome=outcome)
        for _ in range(50):
            recorder.add("feed", intended=second, ended=second + 0.01, outcome="right")
    profile = _profile(Phase(name="beyond", seconds=10, visits_per_second=40), goals=Goals(keeps_limit=True))
    [verdict] = [each for each in verdicts(_measured(profile, recorder)) if each.what == "phase beyond"]
    assert verdict.passed is passed
