"""The decision after a failed run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processing.test_job import a_job
from upschedule.backoff import Backoff
from upschedule.pdf.errors import NotATimetable
from upschedule.pdf.sandbox import SandboxFailed
from upschedule.processing.errors import FileGone, ReadingTimedOut, Stalled
from upschedule.processing.retry_policy import GiveUp, Retry, RetryPolicy, after_failure
from upschedule.settings.work import JobSettings
from upschedule.stores.errors import StoreTimeout

POLICY = RetryPolicy(retries_max=3, backoff=Backoff(base_seconds=2.0, max_seconds=60.0, jitter=1))
PASSING = [SandboxFailed("killed"), StoreTimeout("objects", "no answer"), Stalled(), RuntimeError("defect")]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_one_run_and_three_retries_then_the_end(error: Exception) -> None:
    """R2.1 allows three retries."""
    decisions = [after_failure(a_job(attempt=attempt), error, POLICY, 0.5) for attempt in range(1, 5)]
    assert decisions[:3] == [Retry(1.0), Retry(2.0), Retry(4.0)]
    assert isinstance(decisions[3], GiveUp)
    assert decisions[3].error.code == "reading-failed"
    assert not decisions[3].error.in_file


def test_a_cause_in_the_file_is_final_at_once() -> None:
    """Another run would find the same cause (R2.1)."""
    decision = after_failure(a_job(attempt=1), NotATimetable(), POLICY, 0.0)
    assert isinstance(decision, GiveUp)
    assert decision.error.in_file
    assert decision.error.code == NotATimetable.code


@pytest.mark.parametrize("error", [ReadingTimedOut(), FileGone()], ids=lambda error: error.code)
def test_time_up_and_a_missing_file_are_final_but_not_the_files_fault(error: Exception) -> None:
    """The student can upload the same file again (R1.5)."""
    decision = after_failure(a_job(attempt=1), error, POLICY, 0.0)
    assert isinstance(decision, GiveUp)
    assert not decision.error.in_file


@given(
    attempt=st.integers(1, 10_000),
    roll=st.floats(0, 1, exclude_max=True),
    base=st.floats(0.001, 1e6),
    longest=st.floats(0.001, 1e6),
)
def test_no_delay_is_negative_or_above_its_bounds(attempt: int, roll: float, base: float, longest: float) -> None:
    """The delay has bounds (R2.1)."""
    backoff = Backoff(base_seconds=base, max_seconds=longest, jitter=1)
    policy = RetryPolicy(retries_max=10_000, backoff=backoff)
    decision = after_failure(a_job(attempt=attempt), Stalled(), policy, roll)
    assert isinstance(decision, Retry)
    assert 0 <= decision.delay_seconds <= min(longest, base * 2.0 ** min(attempt - 1, 60))


def test_the_defaults_find_a_stalled_job_within_thirty_seconds_and_survive_lost_heartbeats() -> None:
    """R2.3 requires that a stalled job is found within thirty seconds."""
    defaults = JobSettings()
    assert defaults.lease_seconds + defaults.sweep_seconds <= 30
    assert 3 * defaults.heartbeat_seconds < defaults.lease_seconds
    assert defaults.attempt_seconds_max == 300
