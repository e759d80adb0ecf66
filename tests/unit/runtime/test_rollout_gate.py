"""When a process may take live work."""

import asyncio
from pathlib import Path

import pytest

from upschedule.runtime.rollout_gate import wait_until_promoted


async def test_without_a_file_it_is_live() -> None:
    async with asyncio.timeout(1):
        await wait_until_promoted(None)


@pytest.mark.parametrize("content", [None, b"", b"canary\n", b"\xff\xfe", b"alive"])
async def test_only_the_word_live_ends_the_wait(tmp_path: Path, content: bytes | None) -> None:
    """(R12.2)."""
    file = tmp_path / "standing"
    if content is not None:
        file.write_bytes(content)
    waiting = asyncio.create_task(wait_until_promoted(file))
    await asyncio.wait({waiting}, timeout=0.2)
    assert not waiting.done()
    file.write_bytes(b"live\n")
    async with asyncio.timeout(5):
        await waiting
