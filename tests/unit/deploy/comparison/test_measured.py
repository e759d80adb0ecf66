"""Counters of Prometheus become the traffic of the two releases."""

from upschedule.deploy.comparison.measured import RequestSnapshot, period, slower_than, snapshot_of
from upschedule.deploy.comparison.traffic import Histogram, together
from upschedule.deploy.probe.metrics import Sample

ROUTE = {"method": "GET", "route": "/", "service": "api"}


def instance(allocation: str, *, quick: int, slow: int = 0, faults: int = 0, route: str = "/") -> list[Sample]:
    """`slow` requests took between one and two seconds."""
    labels = {**ROUTE, "alloc": allocation, "route": route}
    total = quick + slow
    buckets = {"0.5": quick, "1": quick, "2": total, "+Inf": total}
    return [
        *(Sample(metric={**labels, "le": bound}, value=(0.0, str(count))) for bound, count in buckets.items()),
        Sample(metric={**labels, "status": "200", "fault": "no"}, value=(0.0, str(total - faults))),
        Sample(metric={**labels, "status": "500", "fault": "yes"}, value=(0.0, str(faults))),
    ]


def at(*instances: list[Sample]) -> RequestSnapshot:
    return snapshot_of(sample for each in instances for sample in each)


def test_only_requests_in_between_count_and_each_release_separately() -> None:
    """This includes an instance that started in between."""
    before = at(instance("old-1", quick=100, slow=50), instance("canary", quick=40, faults=40))
    after = at(
        instance("old-1", quick=130, slow=52),
        instance("old-2", quick=7),
        instance("canary", quick=45, slow=1, faults=41),
    )
    found = period(before, after, canaries={"canary"})

    assert found.old["GET /"] == Histogram(requests=39, faults=0, within={0.5: 37, 1.0: 37, 2.0: 39})
    assert found.new["GET /"] == Histogram(requests=6, faults=1, within={0.5: 5, 1.0: 5, 2.0: 6})
    counted = found.counted([0.5, 2.0])
    assert counted.old["GET /"].events == {"faults": 0, slower_than(0.5): 2, slower_than(2.0): 0}
    assert counted.new["GET /"].events == {"faults": 1, slower_than(0.5): 1, slower_than(2.0): 0}


def test_counters_that_began_anew_count_from_nothing() -> None:
    """Counters restart at zero when the process restarts."""
    found = period(at(instance("canary", quick=90)), at(instance("canary", quick=4)), canaries={"canary"})
    assert found.new["GET /"].requests == 4


def test_an_instance_that_has_ended_counts_for_nothing() -> None:
    """Its last requests are unknown."""
    found = period(at(instance("old", quick=90)), at(), canaries={"canary"})
    assert (found.old, found.new) == ({}, {})


def test_an_instance_that_was_missing_for_a_moment_counts_with_its_news_only() -> None:
    """Its total since the start does not count. A scrape may fail while the machine is busy."""
    first = at(instance("old", quick=90_000))
    second = at().after(first)
    third = at(instance("old", quick=90_007)).after(second)
    assert period(first, second, canaries=()).old["GET /"].requests == 0
    assert period(second, third, canaries=()).old["GET /"].requests == 7


def test_a_stream_is_not_slow() -> None:
    """A stream lasts as long as the reading that it shows. Its faults count."""
    route = "/api/v1/jobs/{job_id}/stream"
    found = period(at(), at(instance("canary", quick=1, slow=5, faults=1, route=route)), canaries={"canary"})
    assert found.counted([1.0]).new[f"GET {route}"].events == {"faults": 1}


def test_percentiles_are_estimated_within_their_bucket() -> None:
    """The estimate is that of `histogram_quantile`. Beyond the last bound it is that bound."""
    histogram = Histogram(requests=100, faults=0, within={0.5: 50, 1.0: 90, 2.0: 98})
    assert [histogram.quantile(share) for share in (0.25, 0.5, 0.7, 0.95, 0.99)] == [0.25, 0.5, 0.75, 1.625, 2.0]
    assert together([]).quantile(0.5) is None
