"""Which index comes next, as Consul's own rules for blocking queries say."""

import pytest

from upschedule.stores.consul import next_index


@pytest.mark.parametrize(
    ("before", "answered", "expected"),
    [
        pytest.param(0, 12, 12, id="the first answer"),
        pytest.param(12, 12, 12, id="nothing new"),
        pytest.param(12, 15, 15, id="something new"),
        pytest.param(15, 3, 0, id="restored from a snapshot"),
        pytest.param(15, 0, 0, id="no index"),
        pytest.param(0, 0, 0, id="never an index"),
    ],
)
def test_an_index_that_went_back_asks_for_everything(before: int, answered: int, expected: int) -> None:
    """Waiting for an index that Consul will not reach would miss every change until then."""
    assert next_index(before, answered) == expected
