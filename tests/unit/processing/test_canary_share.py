"""Tests for which messages a canary claims a job."""

import random

import pytest

from upschedule.processing.canary_share import claims_next


def claimed_of(documents: int, *, share: float, received: float, seed: int) -> int:
    """The number of documents that a canary reads if it receives this part of the messages."""
    source, claimed = random.Random(seed), 0  # noqa: S311 - a repeatable test
    for finished in range(documents):
        # A message that it passes on returns to it with the same probability.
        while source.random() < received:
            if claims_next(share=share, claimed=claimed, finished=finished, roll=source.random()):
                claimed += 1
                break
    return claimed


@pytest.mark.parametrize("received", [0.34, 0.5, 0.7])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_the_share_holds_however_many_messages_the_canary_hears(share: float, received: float) -> None:
    for seed in range(10):
        assert claimed_of(1000, share=share, received=received, seed=seed) == pytest.approx(share * 1000, abs=3)


def test_a_canary_that_hears_less_than_its_share_takes_all_that_it_hears() -> None:
    claimed = claimed_of(1000, share=0.5, received=0.1, seed=1)
    assert 70 <= claimed <= 140


def test_the_first_document_is_claimed_with_the_probability_of_the_share() -> None:
    assert claims_next(share=0.1, claimed=0, finished=0, roll=0.09)
    assert not claims_next(share=0.1, claimed=0, finished=0, roll=0.1)


def test_a_canary_above_its_share_claims_nothing() -> None:
    assert not claims_next(share=0.1, claimed=11, finished=100, roll=0.0)


def test_without_a_share_nothing_is_claimed() -> None:
    assert not claims_next(share=0.0, claimed=0, finished=100, roll=0.0)
