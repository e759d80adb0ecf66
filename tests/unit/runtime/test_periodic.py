"""Periodic rounds continue after one fails."""

import asyncio

import pytest

from upschedule.runtime.periodic import every
from upschedule.stores.errors import StoreUnavailable


@pytest.mark.parametrize("error", [StoreUnavailable("postgres", "gone"), ZeroDivisionError()], ids=["away", "defect"])
async def test_a_failed_round_does_not_end_the_later_ones(error: Exception) -> None:
    enough = asyncio.Event()
    rounds = 0

    async def action() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            enough.set()
        raise error

    going = asyncio.create_task(every(0.01, action, name="test", roll=lambda: 0.5))
    async with asyncio.timeout(5):
        await enough.wait()
    assert not going.done()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
