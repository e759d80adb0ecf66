"""Tests which figures of a promoted release are too bad, and which are chance."""

import random

import pytest

from upschedule.deploy.comparison.traffic import Histogram
from upschedule.deploy.supervision.figures import Figures
from upschedule.deploy.supervision.judgement import complaints
from upschedule.deploy.supervision.limits import WatchLimits

LIMITS = WatchLimits()
ROUTE = "POST /api/v1/uploads"


def answers(requests: int, *, faults: int = 0, slow: int = 0) -> Histogram:
    """`slow` requests took between two and five seconds."""
    return Histogram(requests=requests, faults=faults, within={2.0: requests - slow, 5.0: requests})


def figures(before: Histogram | None, *slices: Histogram, route: str = ROUTE) -> Figures:
    return Figures(before={route: before} if before else {}, slices=tuple({route: each} for each in slices))


def test_faults_of_one_route_are_named_with_both_figures() -> None:
    """The figures of the other routes did not change."""
    found = figures(answers(400, faults=1), *[answers(30, faults=6)] * 4)
    both = Figures(
        before={**found.before, "GET /": answers(5000)},
        slices=tuple({**each, "GET /": answers(500)} for each in found.slices),
    )

    (complaint,) = complaints(both, LIMITS)

    assert complaint.startswith("POST /api/v1/uploads: faults 18 of 90 against 1 of 400 before the promotion")


def test_a_route_without_earlier_requests_has_absolute_limits() -> None:
    assert "slower than 2 s 30 of 90 against no figures before" in str(
        complaints(figures(None, *[answers(30, slow=10)] * 4), LIMITS)
    )
    assert complaints(figures(None, *[answers(30, slow=1)] * 4), LIMITS) == []


@pytest.mark.parametrize(
    ("before", "slices"),
    [
        (answers(400), [answers(30), answers(30, faults=30), answers(30, faults=2), answers(30)]),
        (answers(400), [answers(30, faults=1)] * 3),
        (answers(400, slow=100), [answers(30, slow=8)] * 8),
        (answers(400, faults=30), [answers(30, faults=3)] * 8),
    ],
    ids=["one pause", "a fault now and then", "slow as before", "faults as before"],
)
def test_what_is_no_fault_of_the_release_is_tolerated(before: Histogram, slices: list[Histogram]) -> None:
    assert complaints(figures(before, *slices), LIMITS) == []


def test_a_stream_is_not_slow() -> None:
    """It lasts as long as the reading that it follows."""
    assert complaints(figures(None, *[answers(30, slow=30)] * 4, route="GET /api/v1/jobs/{id}/stream"), LIMITS) == []


def test_an_equally_good_release_passes_ten_minutes() -> None:
    """The rates of faults and slow requests equal those before. Each slice is followed by a decision."""
    random_ = random.Random(26)  # noqa: S311 - simulated traffic

    def slice_of(requests: int) -> Histogram:
        draws = [random_.random() for _ in range(requests)]
        return answers(requests, faults=sum(each < 0.01 for each in draws), slow=sum(each > 0.97 for each in draws))

    for _ in range(20):
        before, slices = slice_of(1200), [slice_of(20) for _ in range(60)]
        for until in range(1, 61, 3):
            assert complaints(figures(before, *slices[:until]), LIMITS) == []
