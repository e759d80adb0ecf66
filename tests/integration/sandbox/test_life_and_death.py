"""If a process dies or a reading is cancelled, no process remains, and the next document is read (R1.2, R1.5)."""

import asyncio
import os
import signal
import sys

import pytest

from tests.integration.sandbox.conftest import OpenHostile
from tests.support.paths import SUPPORT
from tests.support.sandbox.inspection import children_of, is_running, name_of, readers_of, until, zygote_of
from upschedule.pdf.sandbox import Sandbox, SandboxFailed


def reading(sandbox: Sandbox, *, deadline_seconds: float = 60) -> asyncio.Task[object]:
    """Starts a reading."""
    return asyncio.ensure_future(
        sandbox.read(b"", deadline_seconds=deadline_seconds, on_progress=lambda _done, _total: None)
    )


async def test_a_child_killed_from_outside_may_be_tried_again(hostile: OpenHostile) -> None:
    """The likely cause is the out-of-memory killer. The report names the signal."""
    async with hostile("hang") as sandbox:
        zygote = zygote_of(sandbox)
        task = reading(sandbox)
        await until(lambda: bool(readers_of(zygote)))
        os.kill(readers_of(zygote)[0], signal.SIGKILL)
        with pytest.raises(SandboxFailed, match="killed by SIGKILL"):
            await task
        assert zygote_of(sandbox) == zygote


async def test_a_child_has_the_beginning_of_the_request_id_as_its_name(hostile: OpenHostile) -> None:
    """Process lists and the kernel's log show it, so that a killed reading can be found in the other logs (R6.3)."""
    async with hostile("hang") as sandbox:
        zygote = zygote_of(sandbox)
        task = asyncio.ensure_future(
            sandbox.read(
                b"", deadline_seconds=60, on_progress=lambda _done, _total: None, reference="0123456789abcdef0123"
            )
        )
        await until(lambda: bool(readers_of(zygote)))
        (reader,) = readers_of(zygote)
        assert name_of(reader) == "0123456789abcde"
        task.cancel()
        await asyncio.wait([task])


async def test_cancelling_kills_the_child_at_once(hostile: OpenHostile) -> None:
    """When the cancelled reading returns, the place is free and the process has ended."""
    async with hostile("hang") as sandbox:
        zygote = zygote_of(sandbox)
        task = reading(sandbox)
        await until(lambda: bool(readers_of(zygote)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert readers_of(zygote) == []
        await sandbox.ping()


async def test_a_zygote_that_dies_is_replaced(hostile: OpenHostile) -> None:
    """Its children die with it, their readings may be retried, and the next reading works."""
    async with hostile("hang") as sandbox:
        zygote = zygote_of(sandbox)
        task = reading(sandbox)
        await until(lambda: bool(readers_of(zygote)))
        children = children_of(zygote)
        os.kill(zygote, signal.SIGKILL)
        with pytest.raises(SandboxFailed, match="the zygote was killed by SIGKILL"):
            await task
        await until(lambda: not any(map(is_running, children)))
        await sandbox.ping()
        assert zygote_of(sandbox) != zygote


async def test_a_zygote_that_is_stuck_is_replaced(hostile: OpenHostile) -> None:
    """A stopped process does not answer. It is killed after a deadline, and the document is not blamed."""
    async with hostile("count_pages") as sandbox:
        os.kill(zygote_of(sandbox), signal.SIGSTOP)
        with pytest.raises(SandboxFailed, match="did not answer"):
            await reading(sandbox)
        await reading(sandbox)


async def test_a_spare_child_that_dies_is_replaced(hostile: OpenHostile) -> None:
    """It had no document yet, so no reading fails because of it."""
    async with hostile("count_pages") as sandbox:
        zygote = zygote_of(sandbox)
        await until(lambda: len(children_of(zygote)) == 1)
        os.kill(children_of(zygote)[0], signal.SIGKILL)
        await until(lambda: not children_of(zygote))
        await sandbox.ping()
        await reading(sandbox)
        assert zygote_of(sandbox) == zygote


async def test_closing_leaves_no_process(hostile: OpenHostile) -> None:
    """Readings in progress end, and later ones get the reason."""
    async with hostile("hang") as sandbox:
        zygote = zygote_of(sandbox)
        task = reading(sandbox)
        await until(lambda: bool(readers_of(zygote)))
        children = children_of(zygote)
        await sandbox.close()
        assert not is_running(zygote)
        with pytest.raises(SandboxFailed):
            await task
        await until(lambda: not any(map(is_running, children)))
        with pytest.raises(SandboxFailed, match="closed"):
            await reading(sandbox)


async def test_a_killed_worker_takes_zygote_and_children_with_it() -> None:
    """After `kill -9` no code of the worker runs, so the kernel ends the processes."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, str(SUPPORT / "sandbox" / "endless_worker.py"), stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout is not None
    zygote = int(await asyncio.wait_for(worker.stdout.readline(), 20))
    # One child reads, and the other waits for the next document.
    await until(lambda: len(children_of(zygote)) == 2)
    processes = [zygote, *children_of(zygote)]
    worker.kill()
    await worker.wait()
    await until(lambda: not any(map(is_running, processes)))


async def test_readings_beyond_the_limit_wait_their_turn(hostile: OpenHostile) -> None:
    """The third of three readings has no process. Its deadline passes, and the document is not blamed."""
    async with hostile("hang") as sandbox:
        zygote = zygote_of(sandbox)
        tasks = [reading(sandbox), reading(sandbox)]
        await until(lambda: len(readers_of(zygote)) == 2)
        with pytest.raises(SandboxFailed, match="while other documents were read"):
            await reading(sandbox, deadline_seconds=0.3)
        assert len(readers_of(zygote)) == 2
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert readers_of(zygote) == []


async def test_a_zygote_that_cannot_start_says_why(hostile: OpenHostile) -> None:
    """The message contains its last output on standard error."""
    with pytest.raises(SandboxFailed, match=r"exit code 1: .*no attribute 'not_there'"):
        async with hostile("not_there"):
            pass
