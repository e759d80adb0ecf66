"""Tests when a release is worse, when it is not, and when that is uncertain (issue 11, R12.2)."""

from collections.abc import Sequence

import pytest

from tests.support.compared_traffic import Change, Traffic, delaying, failing, good, slower
from upschedule.deploy.comparison.rules import ComparisonLimits
from upschedule.deploy.comparison.traffic import Count, Slice
from upschedule.deploy.comparison.verdict import ALL, Comparison, Verdict, compare

LIMITS = ComparisonLimits()
SLICES = 30
SLOW = "slower than 1 s"
UPLOADS = "POST /api/v1/uploads"


def judged(slices: Sequence[Slice]) -> Comparison:
    return compare(slices, LIMITS.events(), LIMITS.sureness(looks=60))


def verdicts(change: Change, seeds: int = 12) -> set[Verdict]:
    return {judged(list(Traffic(change=change, seed=seed, share=0.3).slices(SLICES))).verdict for seed in range(seeds)}


def slice_of(old: int, new: int, *, new_slow: int = 0, new_faults: int = 0) -> Slice:
    none = dict.fromkeys(LIMITS.events(), 0)
    return Slice(
        old={"GET /": Count(trials=old, events=none)},
        new={"GET /": Count(trials=new, events={**none, SLOW: new_slow, "faults": new_faults})},
    )


@pytest.mark.parametrize("change", [good, slower(1.1)])
def test_a_good_release_on_a_busy_machine_is_not_called_worse(change: Change) -> None:
    """Pauses of the machine affect both releases, or only one of them."""
    assert verdicts(change, seeds=20) == {Verdict.NOT_WORSE}


@pytest.mark.parametrize("change", [delaying(22, 3.0), delaying(10, 0.7), failing(25), failing(1, UPLOADS)])
def test_a_release_that_hurts_some_requests_is_worse(change: Change) -> None:
    """The 95th percentile does not change: one request in 22 waits, or one route fails."""
    assert verdicts(change) == {Verdict.WORSE}


def test_the_worse_route_is_named() -> None:
    """The finding has the figures of both releases."""
    found = judged(list(Traffic(change=failing(1, UPLOADS), seed=1, share=0.3).slices(SLICES)))
    assert UPLOADS in {each.subject for each in found.worse}
    named = next(each for each in found.worse if each.subject == UPLOADS)
    assert (named.event, named.table.new_events) == ("faults", named.table.new_trials)


def test_a_few_requests_say_nothing() -> None:
    """The result is uncertain even if all requests succeeded, and an uncertain result does not pass."""
    assert judged([]).verdict is Verdict.UNSURE
    assert judged([slice_of(2_000, 20)] * 3).verdict is Verdict.UNSURE
    assert judged([slice_of(2_000, 0)] * 3).verdict is Verdict.UNSURE
    assert judged([slice_of(0, 2_000)] * 3).verdict is Verdict.UNSURE
    assert judged([slice_of(2_000, 200)] * 5).verdict is Verdict.NOT_WORSE


def test_one_pause_decides_nothing_and_two_do() -> None:
    """A pause delays many requests at once, while each fault counts separately."""
    quiet = slice_of(200, 100)
    assert judged([quiet] * 4 + [slice_of(200, 100, new_slow=60)]).verdict is not Verdict.WORSE
    assert judged([quiet] * 3 + [slice_of(200, 100, new_slow=30)] * 2).verdict is Verdict.WORSE
    assert judged([quiet] * 4 + [slice_of(200, 100, new_faults=60)]).verdict is Verdict.WORSE


def test_requests_whose_time_does_not_count_do_not_dilute_the_others() -> None:
    """A page that follows a job opens many streams. They can have faults, but no latency."""
    streams = Count(trials=5_000, events={"faults": 0})
    page = slice_of(400, 400, new_slow=20)
    found = judged([Slice(old={**page.old, "GET /stream": streams}, new={**page.new, "GET /stream": streams})] * 5)
    overall = {each.event: each for each in found.overall}

    assert (overall[SLOW].table.new_trials, overall["faults"].table.new_trials) == (5 * 400, 5 * 5_400)
    assert overall[SLOW].verdict is Verdict.WORSE


def test_a_difference_that_is_sure_but_irrelevant_is_no_reason() -> None:
    """Two in 1,000 requests fail where none did. This is certain at that number, but below the limit."""
    found = judged([slice_of(40_000, 20_000, new_faults=40)] * 3)
    assert (found.verdict, found.worse) == (Verdict.NOT_WORSE, ())
    faults = next(each for each in found.overall if each.event == "faults")
    assert (faults.subject, faults.chance < 1e-9) == (ALL, True)
