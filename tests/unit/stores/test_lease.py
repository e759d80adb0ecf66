"""Work under a lease."""

import asyncio

import pytest

from upschedule.settings import JobSettings
from upschedule.stores.errors import StoreUnavailable
from upschedule.stores.lease import LeaseLost, while_held

SETTINGS = JobSettings(lease_seconds=0.3, heartbeat_seconds=0.02)
#: This lease is longer than any pause of a busy machine.
LONG = JobSettings(lease_seconds=60, heartbeat_seconds=0.02)


class Work:
    """`begun` is set at the start, and `cancelled` shows whether the work was cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False

    async def run(self, seconds: float) -> str:
        self.begun.set()
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


async def test_a_result_comes_through_while_the_lease_is_renewed() -> None:
    renewals, enough = 0, asyncio.Event()

    async def renew() -> bool:
        nonlocal renewals
        renewals += 1
        if renewals == 4:
            enough.set()
        return True

    assert await while_held(enough.wait(), renew, LONG) is True


async def test_work_is_cancelled_at_once_when_another_owns_the_job() -> None:
    """Otherwise two runs of one job could continue (R2.3)."""
    work = Work()

    async def renew() -> bool:
        return False

    with pytest.raises(LeaseLost):
        await while_held(work.run(600), renew, LONG)
    assert work.cancelled


@pytest.mark.parametrize("without_answer", [False, True], ids=["refusing", "silent"])
async def test_a_database_away_for_the_whole_lease_ends_the_work(*, without_answer: bool) -> None:
    """Another worker may own the job by then (R2.3)."""
    work = Work()

    async def renew() -> bool:
        if without_answer:
            await asyncio.sleep(600)
        raise StoreUnavailable("postgres", "gone")

    started = asyncio.get_running_loop().time()
    with pytest.raises(LeaseLost):
        await while_held(work.run(600), renew, SETTINGS)
    assert work.cancelled
    assert asyncio.get_running_loop().time() - started >= SETTINGS.lease_seconds * 0.9


async def test_a_short_fault_costs_no_job() -> None:
    answers, enough = iter([False, True, False, True]), asyncio.Event()

    async def renew() -> bool:
        answered = next(answers, None)
        if answered is None:
            enough.set()
        if answered is False:
            raise StoreUnavailable("postgres", "restarting")
        return True

    assert await while_held(enough.wait(), renew, LONG) is True


async def test_an_error_of_the_work_and_a_cancellation_from_outside_come_through() -> None:
    async def renew() -> bool:
        return True

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await while_held(fail(), renew, LONG)
    work = Work()
    held = asyncio.create_task(while_held(work.run(600), renew, LONG))
    await work.begun.wait()
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held
    assert work.cancelled
