"""Documents give the same result in the sandbox as without it."""

import asyncio
import sys

import pytest

from tests.support.documents import refused
from tests.support.documents.generate import document
from tests.support.paths import ROOT, SUPPORT
from upschedule.pdf import reader
from upschedule.pdf.errors import NotAPdf, TooComplex
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import Sandbox, SandboxLimits, read_once
from upschedule.pdf.sandbox.limits import MEBIBYTE


async def test_varied_documents_read_the_same_inside_and_outside() -> None:
    """The sandbox allows everything that reading needs: fonts, encryption and every producer.

    Two run at once, as in a worker.
    """
    limits = ReadingLimits()
    documents = [document(seed).data for seed in range(25)]
    async with Sandbox(limits=SandboxLimits(), reading=limits) as sandbox:
        inside = await asyncio.gather(
            *(sandbox.read(data, deadline_seconds=60, on_progress=lambda _done, _total: None) for data in documents)
        )
    outside = [reader.read(data, limits=limits, progress=lambda _done, _total: None) for data in documents]
    assert inside == outside


def test_a_command_reads_one_document_without_an_event_loop() -> None:
    """The document is refused as it would be in the worker."""
    data = document(3).data
    limits = ReadingLimits()
    inside = read_once(data, limits=SandboxLimits(), reading=limits)
    assert inside == reader.read(data, limits=limits, progress=lambda _done, _total: None)
    with pytest.raises(NotAPdf):
        read_once(b"GIF89a", limits=SandboxLimits(), reading=limits)


async def test_a_document_that_never_ends_is_ended() -> None:
    """The file has a few kilobytes, and more to draw than a child may take (R1.5, R11.1)."""
    async with Sandbox(limits=SandboxLimits(cpu_seconds_max=1), reading=ReadingLimits()) as sandbox:
        with pytest.raises(TooComplex) as caught:
            await sandbox.read(refused.pattern_bomb(), deadline_seconds=60, on_progress=lambda _done, _total: None)
    assert "SIGXCPU" in caught.value.__notes__[0]


async def test_a_document_that_fills_the_memory_is_too_complex() -> None:
    """It does not count as damaged (R11.1)."""
    async with Sandbox(limits=SandboxLimits(memory_bytes_max=192 * MEBIBYTE), reading=ReadingLimits()) as sandbox:
        with pytest.raises(TooComplex):
            await sandbox.read(refused.pattern_bomb(), deadline_seconds=60, on_progress=lambda _done, _total: None)


async def on_a_hardened_host(*required: str) -> str:
    """The output of a sandbox with this policy on a host without Landlock and namespaces."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SUPPORT / "sandbox" / "without_protections.py"),
        *required,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return output.decode()


async def test_a_host_that_grants_too_little_reads_nothing() -> None:
    """The error names each missing protection with its cause (R11.1)."""
    output = await on_a_hardened_host("landlock", "namespaces")
    assert output.startswith("ProtectionMissing: ")
    assert "landlock: [Errno 95] Operation not supported" in output
    assert "namespaces: [Errno 1] Operation not permitted" in output


async def test_a_protection_that_is_not_required_may_be_missing() -> None:
    """Reading works with seccomp alone, and the sandbox reports the missing protections."""
    assert await on_a_hardened_host("seccomp") == "refused: landlock namespaces all pages: True\n"
