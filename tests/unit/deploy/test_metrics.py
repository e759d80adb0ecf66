"""What a canary may do and still be promoted."""

from upschedule.deploy.findings import failures, passed, table
from upschedule.deploy.probe.client import Seen
from upschedule.deploy.probe.metrics import Bounds, by_instance, by_ourselves, by_prometheus, p95
from upschedule.deploy.prometheus import Counted

BOUNDS = Bounds(error_ratio_max=0.01, p95_seconds_max=1.0)
WELL = Seen(request="GET /", status=200, seconds=0.1, instance="canary")
FAILED = Seen(request="GET /", status=500, seconds=0.1, instance="canary", detail="broken")
SLOW = Seen(request="GET /", status=200, seconds=3.0, instance="canary")
SILENT = Seen(request="GET /", status=0, seconds=5.0, detail="timed out")


def test_one_error_in_a_hundred_is_allowed_and_two_are_not() -> None:
    assert by_ourselves([WELL] * 99 + [FAILED], BOUNDS).ok
    worse = by_ourselves([WELL] * 98 + [FAILED, SILENT], BOUNDS)
    assert (worse.ok, "2 of 100 requests failed" in worse.said, "broken" in worse.said) == (False, True, True)


def test_five_slow_answers_in_a_hundred_are_allowed_and_six_are_not() -> None:
    assert by_ourselves([WELL] * 95 + [SLOW] * 5, BOUNDS).ok
    assert not by_ourselves([WELL] * 94 + [SLOW] * 6, BOUNDS).ok


def test_no_request_at_all_is_not_passed() -> None:
    assert not by_ourselves([], BOUNDS).ok
    assert not by_instance([SILENT], {"canary"}, what="the canary").ok
    assert not passed([])


def test_missing_data_of_prometheus_are_not_passed() -> None:
    """A canary that nobody measures is not known to be well."""
    missing = Counted(requests=None, errors=None, p95_seconds=None)
    assert "no data" in by_prometheus(missing, BOUNDS, sent=40).said
    late = Counted(requests=12, errors=0, p95_seconds=0.1)
    assert "only 12 of at least 40" in by_prometheus(late, BOUNDS, sent=40).said
    restarted = Counted(requests=-3, errors=0, p95_seconds=0.1)
    assert "restarted" in by_prometheus(restarted, BOUNDS, sent=40).said
    assert not any(by_prometheus(counted, BOUNDS, sent=40).ok for counted in (missing, late, restarted))


def test_prometheus_decides_by_the_same_bounds() -> None:
    assert by_prometheus(Counted(requests=100, errors=1, p95_seconds=0.9), BOUNDS, sent=40).ok
    assert not by_prometheus(Counted(requests=100, errors=2, p95_seconds=0.9), BOUNDS, sent=40).ok
    assert not by_prometheus(Counted(requests=100, errors=0, p95_seconds=1.1), BOUNDS, sent=40).ok


def test_answers_of_another_instance_are_named() -> None:
    """As when the canary's route is missing, and the release before answers."""
    strange = by_instance([WELL, Seen(request="GET /", status=200, seconds=0.1)], {"canary"}, what="the canary")

    assert not strange.ok
    assert "1 of 2 answers came from the canary, others from an instance that does not say its name" in strange.said


def test_a_report_has_a_line_for_each_check_and_a_sentence_for_each_failure() -> None:
    findings = [by_ourselves([WELL], BOUNDS), by_ourselves([FAILED], BOUNDS)]

    assert [line.split()[0] for line in table(findings)] == ["ok", "NOT"]
    assert len(failures(findings)) == 1


def test_the_slowest_of_few_is_their_95th_percentile() -> None:
    assert p95([3.0, 1.0, 2.0]) == 3.0
    assert p95([]) == 0.0
