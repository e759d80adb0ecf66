"""The estimate of how long a new job waits."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upschedule.processing.capacity import Rates, estimate, measured_rate

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


def a_run(start: float, end: float) -> tuple[datetime, datetime]:
    return NOON + timedelta(seconds=start), NOON + timedelta(seconds=end)


def retry_after(*, queued: int, limit: int, ended: float) -> int:
    rates = Rates(quick=10_000, ended=ended)
    return estimate(queued=queued, slow=0, ahead=queued, limit=limit, rates=rates).retry_after_seconds


def test_nothing_finished_means_the_assumed_rate() -> None:
    assert measured_rate([], assumed_rate_per_minute=60) == 60


def test_runs_side_by_side_count_their_time_once() -> None:
    runs = [a_run(0, 2), a_run(1, 3), a_run(1.5, 2.5)]
    assert measured_rate(runs, assumed_rate_per_minute=1) == pytest.approx(60)


def test_an_idle_while_between_runs_does_not_make_the_workers_slow() -> None:
    assert measured_rate([a_run(0, 1), a_run(50, 51)], assumed_rate_per_minute=1) == pytest.approx(60)


def test_a_wait_is_the_queue_over_the_rate() -> None:
    """R2.2 requires an estimate of the waiting time."""
    assert estimate(queued=300, slow=270, ahead=30, limit=500, rates=Rates(quick=60, ended=1)).wait_seconds == 30


def test_one_who_is_refused_comes_back_when_a_tenth_of_the_queue_is_gone() -> None:
    """R2.2 requires that the refusal has this time."""
    assert retry_after(queued=500, limit=500, ended=300) == 10
    assert retry_after(queued=500, limit=500, ended=0.001) == 600


@given(st.integers(0, 10_000), st.integers(1, 1_000), st.floats(0.01, 1e6))
def test_a_retry_after_is_always_a_usable_number(queued: int, limit: int, rate: float) -> None:
    """R5.3 requires a valid Retry-After header."""
    assert 1 <= retry_after(queued=queued, limit=limit, ended=rate) <= 600
