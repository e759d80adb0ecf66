"""Passwords are hashed with argon2id, and the number of simultaneous hashes is bounded."""

import asyncio
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from upschedule.accounts.errors import SignInBusy
from upschedule.accounts.hashing import PasswordHashing


@pytest.fixture
def hashing() -> Iterator[PasswordHashing]:
    instance = PasswordHashing()
    yield instance
    instance.close()


async def test_only_the_right_password_matches_and_an_unknown_account_never_does(hashing: PasswordHashing) -> None:
    password_hash = await hashing.hash("correct horse")

    assert password_hash.startswith("$argon2id$")
    assert await hashing.verify(password_hash, "correct horse")
    assert not await hashing.verify(password_hash, "correct horsf")
    assert not await hashing.verify(None, "decoy")


async def test_a_hash_of_other_parameters_is_outdated(hashing: PasswordHashing) -> None:
    assert not hashing.is_outdated(await hashing.hash("correct horse"))
    assert hashing.is_outdated(PasswordHasher(time_cost=1, memory_cost=8192).hash("correct horse"))


async def test_more_than_a_bounded_number_of_sign_ins_at_once_is_refused(hashing: PasswordHashing) -> None:
    """Two run and 32 wait, so that many sign-ins at once cannot use up the memory."""
    password_hash = await hashing.hash("correct horse")
    outcomes = await asyncio.gather(*(hashing.verify(password_hash, "x") for _ in range(40)), return_exceptions=True)

    assert sum(isinstance(outcome, SignInBusy) for outcome in outcomes) == 6


async def test_sign_ups_have_a_bounded_queue_of_their_own(hashing: PasswordHashing) -> None:
    """One runs and eight wait. Signing in continues beside them."""
    password_hash = await hashing.hash("correct horse")
    sign_ups = [asyncio.ensure_future(hashing.hash("correct horse")) for _ in range(40)]
    await asyncio.sleep(0)
    right = await hashing.verify(password_hash, "correct horse")
    waiting = sum(not sign_up.done() for sign_up in sign_ups)
    outcomes = await asyncio.gather(*sign_ups, return_exceptions=True)

    assert right
    assert waiting
    assert sum(isinstance(outcome, SignInBusy) for outcome in outcomes) == 31
