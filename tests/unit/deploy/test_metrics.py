"""The limits of errors and slow answers within which a canary is promoted."""

from upschedule.deploy.findings import failures, passed, table
from upschedule.deploy.probe.client import RequestRecord
from upschedule.deploy.probe.metrics import (
    CanaryMetrics,
    MetricBounds,
    check_answers,
    check_metrics,
    check_requests,
    p95,
)

BOUNDS = MetricBounds(error_ratio_max=0.01, p95_seconds_max=1.0)
WELL = RequestRecord(request="GET /", status=200, seconds=0.1, instance="canary")
FAILED = RequestRecord(request="GET /", status=500, seconds=0.1, instance="canary", detail="broken")
SLOW = RequestRecord(request="GET /", status=200, seconds=3.0, instance="canary")
SILENT = RequestRecord(request="GET /", status=0, seconds=5.0, detail="timed out")


def test_one_error_in_a_hundred_is_allowed_and_two_are_not() -> None:
    assert check_requests([WELL] * 99 + [FAILED], BOUNDS).ok
    worse = check_requests([WELL] * 98 + [FAILED, SILENT], BOUNDS)
    assert (worse.ok, "2 of 100 requests failed" in worse.detail, "broken" in worse.detail) == (False, True, True)


def test_five_slow_answers_in_a_hundred_are_allowed_and_six_are_not() -> None:
    assert check_requests([WELL] * 95 + [SLOW] * 5, BOUNDS).ok
    assert not check_requests([WELL] * 94 + [SLOW] * 6, BOUNDS).ok


def test_no_request_at_all_is_not_passed() -> None:
    assert not check_requests([], BOUNDS).ok
    assert not check_answers([SILENT], {"canary"}, name="the canary").ok
    assert not passed([])


def test_missing_data_of_prometheus_are_not_passed() -> None:
    """A canary without measurements does not count as healthy."""
    missing = CanaryMetrics(requests=None, errors=None, p95_seconds=None)
    assert "no data" in check_metrics(missing, BOUNDS, sent=40).detail
    late = CanaryMetrics(requests=12, errors=0, p95_seconds=0.1)
    assert "only 12 of at least 40" in check_metrics(late, BOUNDS, sent=40).detail
    restarted = CanaryMetrics(requests=-3, errors=0, p95_seconds=0.1)
    assert "restarted" in check_metrics(restarted, BOUNDS, sent=40).detail
    assert not any(check_metrics(counted, BOUNDS, sent=40).ok for counted in (missing, late, restarted))


def test_prometheus_decides_by_the_same_bounds() -> None:
    assert check_metrics(CanaryMetrics(requests=100, errors=1, p95_seconds=0.9), BOUNDS, sent=40).ok
    assert not check_metrics(CanaryMetrics(requests=100, errors=2, p95_seconds=0.9), BOUNDS, sent=40).ok
    assert not check_metrics(CanaryMetrics(requests=100, errors=0, p95_seconds=1.1), BOUNDS, sent=40).ok


def test_answers_of_another_instance_are_named() -> None:
    """The canary's route is missing, so the old release answers."""
    strange = check_answers(
        [WELL, RequestRecord(request="GET /", status=200, seconds=0.1)], {"canary"}, name="the canary"
    )

    assert not strange.ok
    assert "1 of 2 answers came from the canary, others from an instance that does not say its name" in strange.detail


def test_a_report_has_a_line_for_each_check_and_a_sentence_for_each_failure() -> None:
    findings = [check_requests([WELL], BOUNDS), check_requests([FAILED], BOUNDS)]

    assert [line.split()[0] for line in table(findings)] == ["ok", "NOT"]
    assert len(failures(findings)) == 1


def test_the_slowest_of_few_is_their_95th_percentile() -> None:
    assert p95([3.0, 1.0, 2.0]) == 3.0
    assert p95([]) == 0.0
