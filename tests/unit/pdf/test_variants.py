"""A schedule that was changed on its way is read exactly, refused, or read with a warning. No event is invented."""

import os

import pytest

from tests.support.documents import variants
from tests.support.documents.variant_checks import try_refused, try_safe, try_same

#: One schedule of each kind. For more, use `UPSCHEDULE_TEST_VARIANTS=11 pytest tests/unit/pdf/test_variants.py`.
SEEDS = range(int(os.environ.get("UPSCHEDULE_TEST_VARIANTS", "3")))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", variants.SAME)
def test_a_change_that_loses_nothing_is_read_exactly(name: str, seed: int) -> None:
    outcome = try_same(name, seed)

    assert outcome.is_right, outcome.what


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", variants.SAFE)
def test_what_is_lost_or_displaced_is_refused_or_warned_of_and_nothing_is_invented(name: str, seed: int) -> None:
    outcome = try_safe(name, seed)

    assert outcome.is_right, outcome.what


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", variants.REFUSED)
def test_what_cannot_be_read_is_refused_for_its_own_cause(name: str, seed: int) -> None:
    outcome = try_refused(name, seed)

    assert outcome.is_right, outcome.what
