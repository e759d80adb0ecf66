"""The failure of a child is attributed to its cause: the file or something else (R1.5)."""

import time
from contextlib import suppress

import pytest

from tests.integration.sandbox.conftest import OpenHostile
from upschedule.metrics import SANDBOX_READINGS
from upschedule.pdf.errors import NeedsPassword, TooComplex, TookTooLong, UnreadableDocument
from upschedule.pdf.sandbox import QuantumUsedUp, Sandbox, SandboxFailed


async def read(sandbox: Sandbox, data: bytes = b"", *, deadline_seconds: float = 30) -> object:
    """Reads the document and ignores its progress."""
    return await sandbox.read(data, deadline_seconds=deadline_seconds, on_progress=lambda _done, _total: None)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("allocate_at_once", "more than 268435456 bytes of memory"),
        ("hoard", "more than 268435456 bytes of memory"),
        ("loop", "SIGXCPU after"),
        ("loop_deaf", "SIGKILL after"),
        ("answer_at_length", "more than 65536 bytes"),
        ("speak_for_ever", "more than 65536 bytes"),
    ],
)
async def test_a_document_that_needs_too_much_is_too_complex(hostile: OpenHostile, name: str, note: str) -> None:
    """Memory, processor time and the size of the result have limits. A note names the one that was exceeded (R11.1)."""
    async with hostile(name, memory_bytes_max=256 << 20, cpu_seconds_max=1, result_bytes_max=65536) as sandbox:
        with pytest.raises(TooComplex) as caught:
            await read(sandbox)
    assert note in caught.value.__notes__[0]


async def test_a_quantum_of_processor_time_ends_a_reading_that_may_be_repeated(hostile: OpenHostile) -> None:
    """The quantum counts fractions of a second. The limit for all readings of a document is final (R1.5)."""
    spent: list[float] = []
    async with hostile("loop", cpu_seconds_max=1) as sandbox:
        with pytest.raises(QuantumUsedUp):
            await sandbox.read(
                b"", deadline_seconds=30, on_progress=lambda _done, _total: None, cpu_seconds=0.2, on_spent=spent.append
            )
        # A busy kernel charges processor time in ticks: the timer may count some that the report does not.
        assert 0.05 < spent.pop() < 0.8
        with pytest.raises(TooComplex):
            await sandbox.read(
                b"", deadline_seconds=30, on_progress=lambda _done, _total: None, cpu_seconds=5, on_spent=spent.append
            )
        assert 0.8 < spent.pop() < 2


@pytest.mark.parametrize("name", ["refuse", "fail", "crash", "count_pages"])
async def test_the_processor_time_used_is_reported_however_a_reading_ends(hostile: OpenHostile, name: str) -> None:
    """Refusals use processor time as results do."""
    spent: list[float] = []
    async with hostile(name) as sandbox:
        with suppress(UnreadableDocument, SandboxFailed):
            await sandbox.read(b"", deadline_seconds=30, on_progress=lambda _done, _total: None, on_spent=spent.append)
    assert len(spent) == 1
    assert spent[0] > 0


@pytest.mark.parametrize(("wall_seconds", "deadline_seconds"), [(0.5, 600), (600, 0.5)])
async def test_a_document_that_hangs_took_too_long(
    hostile: OpenHostile, wall_seconds: float, deadline_seconds: float
) -> None:
    """It uses no processor time.

    The wall-clock limit or the caller's deadline stops it, whichever is earlier (R1.5).
    """
    async with hostile("hang", wall_seconds_max=wall_seconds) as sandbox:
        start = time.monotonic()
        with pytest.raises(TookTooLong):
            await read(sandbox, deadline_seconds=deadline_seconds)
        assert time.monotonic() - start >= 0.5


@pytest.mark.parametrize(("name", "signal_name"), [("crash", "SIGSEGV"), ("abort", "SIGABRT")])
async def test_a_document_that_crashes_the_reader_is_unreadable(
    hostile: OpenHostile, name: str, signal_name: str
) -> None:
    """Reading it again would crash again, so it is not retried (R2.1)."""
    async with hostile(name) as sandbox:
        with pytest.raises(UnreadableDocument) as caught:
            await read(sandbox)
    assert signal_name in caught.value.__notes__[0]


async def test_a_refusal_arrives_as_the_reader_raised_it(hostile: OpenHostile) -> None:
    """Class and sentence are those of the reader."""
    async with hostile("refuse") as sandbox:
        with pytest.raises(NeedsPassword, match="the sentence of the reader"):
            await read(sandbox)


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("leave", "exit code 3"),
        ("load_late", r"ModuleNotFoundError \(antigravity\) at hostile:\d+ load_late"),
        ("fail", r"KeyError at hostile:\d+ fail"),
    ],
)
async def test_a_reader_that_fails_is_not_the_documents_fault(hostile: OpenHostile, name: str, report: str) -> None:
    """The report names the place in the code, and quotes no text of the document."""
    async with hostile(name) as sandbox:
        with pytest.raises(SandboxFailed, match=report) as caught:
            await read(sandbox)
    assert "words of the document" not in str(caught.value)


@pytest.mark.parametrize(
    ("forged", "report"),
    [
        (b"\x80\x04N.\n", "not a message"),
        (b'{"type":"Done","extraction":{"events":[{"kind":"party"}],"pages":1}}\n', "not a message"),
        (b'{"type":"Refused","code":"no-such-code","detail":""}\n', "unknown code"),
        (b'{"type":"ReadingProgress","done":2,"total":1}\n', "page 2 of 1"),
        (
            b'{"type":"ReadingProgress","done":1,"total":9}\n{"type":"ReadingProgress","done":1,"total":9}\n',
            "after page 1",
        ),
    ],
)
async def test_what_a_child_says_is_checked(hostile: OpenHostile, forged: bytes, report: str) -> None:
    """A child is not trusted. Output with wrong types or an impossible page number ends the reading (R2.3)."""
    async with hostile("speak") as sandbox:
        with pytest.raises(SandboxFailed, match=report):
            await read(sandbox, forged)


async def test_pages_are_reported_once_each_and_in_order(hostile: OpenHostile) -> None:
    """The listener may be a coroutine function."""
    reported: list[tuple[int, int]] = []

    async def listen(done: int, total: int) -> None:
        reported.append((done, total))

    async with hostile("count_pages") as sandbox:
        await sandbox.read(b"", deadline_seconds=20, on_progress=listen)
    assert reported == [(1, 3), (2, 3), (3, 3)]


async def test_a_listeners_own_timeout_is_not_taken_for_the_documents(hostile: OpenHostile) -> None:
    """The worker's database may be slow, which is not the document's fault."""

    async def listen(_done: int, _total: int) -> None:
        raise TimeoutError("the database is slow")

    async with hostile("count_pages") as sandbox:
        with pytest.raises(TimeoutError, match="the database is slow"):
            await sandbox.read(b"", deadline_seconds=20, on_progress=listen)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("count_pages", "read"),
        ("refuse", "refused"),
        ("crash", "crashed"),
        ("loop", "limit"),
        ("hang", "timeout"),
        ("leave", "failed"),
    ],
)
async def test_each_reading_is_counted_by_its_outcome(hostile: OpenHostile, name: str, outcome: str) -> None:
    """R6.2 requires the metric."""
    before = readings_by_outcome()
    async with hostile(name, cpu_seconds_max=1, wall_seconds_max=5) as sandbox:
        with suppress(UnreadableDocument, SandboxFailed):
            await read(sandbox)
    after = readings_by_outcome()

    assert {name for name, count in after.items() if count != before.get(name, 0)} == {outcome}
    assert after[outcome] == before.get(outcome, 0) + 1


def readings_by_outcome() -> dict[str, float]:
    """The values of the counter, by outcome."""
    (family,) = SANDBOX_READINGS.collect()
    return {each.labels["outcome"]: each.value for each in family.samples if each.name.endswith("_total")}
