"""Tests when a process may take live work."""

import asyncio
from pathlib import Path

import pytest

from upschedule.runtime.rollout_gate import LiveState, RolloutGate, state_of, wait_until_promoted


async def test_without_a_file_it_is_live() -> None:
    async with asyncio.timeout(30):
        await wait_until_promoted(None)


@pytest.mark.parametrize("content", [None, b"", b"canary\n", b"canary 100 9999999999\n", b"\xff\xfe", b"alive"])
async def test_only_the_word_live_ends_the_wait(tmp_path: Path, content: bytes | None) -> None:
    """A canary serves no visitors before its promotion (R12.2)."""
    file = tmp_path / "standing"
    if content is not None:
        file.write_bytes(content)
    waiting = asyncio.create_task(wait_until_promoted(file))
    await asyncio.wait({waiting}, timeout=0.2)
    assert not waiting.done()
    file.write_bytes(b"live\n")
    async with asyncio.timeout(30):
        await waiting


@pytest.mark.parametrize(
    ("content", "share"),
    [
        ("canary 5 1000\n", 0.05),
        ("canary 0.5 1000", 0.005),
        ("canary 100 1000", 1.0),
        ("canary 5 999", 0.0),
        ("canary 0 1000", 0.0),
        ("canary -5 1000", 0.0),
        ("canary 101 1000", 0.0),
        ("canary nan 1000", 0.0),
        ("canary 5 nan", 0.0),
        ("canary 5", 0.0),
        ("canary five 1000", 0.0),
        ("canary 5 1000 x", 0.0),
        ("canary", 0.0),
        ("live 5 1000", 0.0),
        ("", 0.0),
    ],
)
def test_a_share_is_read_whole_and_ends_in_time(tmp_path: Path, content: str, share: float) -> None:
    """A share that a command left behind expires (R12.2)."""
    file = tmp_path / "standing"
    file.write_text(content)
    assert state_of(file, clock=lambda: 999.0) == LiveState(live=False, share=share)


@pytest.mark.parametrize("content", ["", "canary\n", "canary 5 4000000000\n"])
def test_a_promoted_process_never_becomes_a_canary_again(tmp_path: Path, content: str) -> None:
    """Nomad writes an empty file when Consul returns no instances."""
    file = tmp_path / "standing"
    file.write_text("canary\n")
    gate = RolloutGate(file)
    assert not gate.state().live
    file.write_text("live\n")
    assert gate.state().live
    file.write_text(content)
    assert gate.state() == LiveState(live=True)
    file.unlink()
    assert gate.state() == LiveState(live=True)
