"""The next index of a watch, according to Consul's rules for blocking queries."""

import pytest

from upschedule.stores.consul import next_index


@pytest.mark.parametrize(
    ("before", "returned", "expected"),
    [
        pytest.param(0, 12, 12, id="the first answer"),
        pytest.param(12, 12, 12, id="nothing new"),
        pytest.param(12, 15, 15, id="something new"),
        pytest.param(15, 3, 0, id="restored from a snapshot"),
        pytest.param(15, 0, 0, id="no index"),
        pytest.param(0, 0, 0, id="never an index"),
    ],
)
def test_an_index_that_decreased_makes_the_watch_start_again(before: int, returned: int, expected: int) -> None:
    """Waiting for an index that Consul will not reach would miss every change until then."""
    assert next_index(before, returned) == expected
