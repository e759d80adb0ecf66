"""An attacker controls the reader, and everything that he tries is refused (R1.5, R11.1)."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.integration.sandbox.conftest import OpenHostile
from tests.support.sandbox.inspection import (
    check_reader,
    check_waiting_child,
    check_zygote,
    children_of,
    readers_of,
    seen,
    until,
    zygote_of,
)

REFUSED = "Operation not permitted"


async def answers(hostile: OpenHostile, name: str, data: bytes = b"") -> list[str]:
    """The answers of the kernel to that function."""
    async with hostile(name) as sandbox:
        extraction = await sandbox.read(data, deadline_seconds=20, on_progress=lambda _done, _total: None)
    return [warning.message for warning in extraction.warnings]


@pytest.mark.parametrize(
    ("name", "attempts"),
    [("read_files", 4), ("use_network", 4), ("start_processes", 4), ("run_own_code", 1)],
)
async def test_a_child_opens_no_file_no_socket_no_process_and_no_code(
    hostile: OpenHostile, name: str, attempts: int
) -> None:
    """Each attempt is refused because its system call is not on the list."""
    assert await answers(hostile, name) == [REFUSED] * attempts


async def test_a_child_writes_nothing(hostile: OpenHostile, tmp_path: Path) -> None:
    """Files in a directory and in memory are refused."""
    target = tmp_path / "evil"
    assert await answers(hostile, "write_files", str(target).encode()) == [REFUSED] * 4
    assert not target.exists()


async def test_a_child_cannot_touch_the_worker(hostile: OpenHostile) -> None:
    """Signals, tracing and priorities are refused, for the worker's process id and for all processes."""
    assert await answers(hostile, "attack_processes", str(os.getpid()).encode()) == [REFUSED] * 5


async def test_a_child_inherits_no_descriptor_but_its_channel(hostile: OpenHostile) -> None:
    """The three standard descriptors are /dev/null."""
    readable, unwanted = os.pipe()
    os.set_inheritable(readable, True)  # noqa: FBT003 -- the standard library's signature
    try:
        found = await answers(hostile, "list_descriptors")
    finally:
        os.close(readable)
        os.close(unwanted)
    assert found[:3] == ["0", "1", "2"]
    assert len(found) == 4


async def test_a_child_knows_no_secret_of_the_worker(hostile: OpenHostile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's environment is not visible in the child (R8.2)."""
    monkeypatch.setenv("UPSCHEDULE_TEST_SECRET", "do not tell")
    assert "do not tell" not in await answers(hostile, "list_environment")


async def test_each_process_has_the_privileges_that_the_decision_describes(hostile: OpenHostile) -> None:
    """The test reads the kernel's values of the zygote, the waiting child and the reading child (R8.2, R11.1)."""
    async with hostile("hang") as sandbox:
        zygote = zygote_of(sandbox)
        reading = asyncio.ensure_future(sandbox.read(b"", deadline_seconds=60, on_progress=lambda _done, _total: None))
        await until(lambda: bool(readers_of(zygote)) and len(children_of(zygote)) == 2)
        (reader,) = readers_of(zygote)
        (waiting,) = set(children_of(zygote)) - {reader}
        check_zygote(zygote)
        check_reader(seen(reader))
        # The child closes inherited descriptors before it warms up.
        await until(lambda: len(seen(waiting).descriptors or "four") == 4)
        check_waiting_child(waiting)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
