"""The pauses between attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upschedule.backoff import Backoff, jittered

ROLLS = st.floats(min_value=0, max_value=1, exclude_max=True)


def test_the_bound_doubles_with_each_attempt_up_to_its_maximum() -> None:
    backoff = Backoff(base_seconds=0.5, max_seconds=3, jitter=0)
    assert [backoff.pause_seconds(attempt, 0.7) for attempt in range(1, 6)] == [0.5, 1, 2, 3, 3]


@pytest.mark.parametrize(("jitter", "pauses"), [(1.0, [0, 4, 8]), (0.5, [4, 6, 8]), (0.1, [7.2, 7.6, 8])])
def test_the_jitter_is_the_share_of_the_pause_that_is_left_to_chance(jitter: float, pauses: list[float]) -> None:
    assert [jittered(8, jitter, roll) for roll in (0, 0.5, 1)] == pytest.approx(pauses)


@given(attempt=st.integers(-5, 10**9), roll=ROLLS, jitter=st.floats(0, 1))
def test_a_pause_never_leaves_its_bounds_whatever_the_attempt(attempt: int, roll: float, jitter: float) -> None:
    backoff = Backoff(base_seconds=0.1, max_seconds=5, jitter=jitter)
    pause = backoff.pause_seconds(attempt, roll)
    assert 0 <= pause <= 5
    assert pause >= jittered(0.1, jitter, 0) * (1 - 1e-9)


def test_equal_jitter_is_the_default() -> None:
    assert Backoff(base_seconds=1, max_seconds=1).pause_seconds(1, 0) == 0.5
