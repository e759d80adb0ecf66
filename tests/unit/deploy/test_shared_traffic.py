"""Tests how large a canary's share of the visitors may be, and the sentences about a comparison."""

import pytest

from upschedule.deploy.comparison import report
from upschedule.deploy.comparison.measured import Period
from upschedule.deploy.comparison.rules import ComparisonLimits
from upschedule.deploy.comparison.traffic import Histogram
from upschedule.deploy.comparison.verdict import Verdict, compare
from upschedule.deploy.shared_traffic import ShareLimits


@pytest.mark.parametrize(
    ("live", "steps"), [(1, [5, 20, 50]), (2, [5, 20, 33]), (9, [5, 10]), (300, [1]), (0, [5, 20, 50])]
)
def test_no_step_gives_the_canary_more_than_a_fair_part(live: int, steps: list[int]) -> None:
    """Otherwise one instance among many would get half of all visitors."""
    assert ShareLimits().steps(live) == [(each,) for each in steps]
    assert ShareLimits(percents=()).steps(live) == []


def test_the_shares_of_visitors_and_documents_grow_together_each_to_its_fair_part() -> None:
    """In this case there are two instances of the API and nine workers."""
    assert ShareLimits().steps(2, 9) == [(5, 5), (20, 10), (33, 10)]


def histogram(requests: int, slow: int = 0, faults: int = 0) -> Histogram:
    quick = requests - slow
    return Histogram(requests=requests, faults=faults, within={0.5: quick, 1.0: quick, 2.0: quick, 5.0: requests})


def test_a_comparison_says_how_sure_it_is_and_names_route_and_figures() -> None:
    """It names the numbers of visitors' requests and of the gate's own."""
    both = Period(old={"GET /": histogram(2_000)}, new={"GET /": histogram(1_000, slow=100)})
    limits = ComparisonLimits()
    slices = [both.counted(limits.slower_than_seconds)] * 3
    found = compare(slices, limits.events(), limits.sureness(looks=10))

    assert found.verdict is Verdict.WORSE
    text = report.describe_overall(found, both, canary=300, old=200)
    assert (
        "worse after 1000 requests (the gate's own: 300) beside 2000 of the old release (the gate's own: 200)" in text
    )
    worse = next(each for each in found.worse if each.subject == "GET /" and each.event == "slower than 2 s")
    assert "GET /: slower than 2 s 300 of 3000 against 0 of 6000" in report.describe_measure(worse, both)
    assert "p99 4.700 s against 0.495 s" in report.describe_measure(worse, both)


def test_the_table_has_all_routes_together_first_and_streams_only_separately() -> None:
    """The duration of a stream is not a latency."""
    both = Period(
        old={"GET /": histogram(100), "GET /x/stream": histogram(10, slow=10)},
        new={"GET /": histogram(10, faults=1), "GET /y": histogram(1)},
    )
    found = report.figures(both)
    assert [each.route for each in found] == ["all", "GET /", "GET /x/stream", "GET /y"]
    assert (found[0].old.requests, found[0].canary.requests, found[0].canary.faults) == (100, 11, 1)
    table = list(report.lines(found))
    assert len(table) == 1 + 2 * len(found)
    assert "-" in table[-2]
