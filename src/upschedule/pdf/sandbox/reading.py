"""Reads documents in child processes that a warm process (the zygote) forks."""

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Self

import msgspec

from upschedule.backoff import Backoff
from upschedule.metrics import SANDBOX_READINGS, SANDBOX_STARTS
from upschedule.pdf.errors import TookTooLong
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import verdict
from upschedule.pdf.sandbox.errors import ProtectionMissing, SandboxFailed
from upschedule.pdf.sandbox.limits import Protection, SandboxLimits, SandboxPolicy
from upschedule.pdf.sandbox.messages import (
    ChildMessage,
    Done,
    Failed,
    Painted,
    ReaderFunction,
    ReadingProgress,
    Refused,
    ZygoteOptions,
)
from upschedule.pdf.sandbox.zygote_process import ChildProcess, ZygoteProcess
from upschedule.timetable.event import Box, Extraction

OnProgress = Callable[[int, int], Awaitable[None] | None]
OnSpent = Callable[[float], None]

_RESTART = Backoff(base_seconds=0.2, max_seconds=5.0)
_MESSAGES = msgspec.json.Decoder[ChildMessage](ChildMessage)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One reading, or with `box` one picture; `deadline` is a time of the event loop."""

    data: bytes
    deadline: float
    cpu_seconds: float | None
    reference: str
    box: Box | None = None


class Sandbox:
    """Reads documents in children of a warm process, at most `concurrency_max` at once; the rest wait their turn.

    A zygote that dies is replaced by the next reading or ping, after a delay that doubles until a document has been
    read. `roll` gives the jitter: 0 <= roll() < 1.
    """

    def __init__(
        self,
        *,
        limits: SandboxLimits,
        reading: ReadingLimits,
        policy: SandboxPolicy | None = None,
        concurrency_max: int = 2,
        reader: ReaderFunction | None = None,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits
        self._options = ZygoteOptions(reader=reader or ReaderFunction(), limits=limits, reading=reading)
        self._required = (policy or SandboxPolicy()).required
        self._slots = asyncio.Semaphore(concurrency_max)
        self._starting = asyncio.Lock()
        self._zygote: ZygoteProcess | None = None
        self._restarts = 0
        self._open = False
        self._roll = roll

    async def start(self) -> None:
        """Start and warm the zygote. Raises ProtectionMissing, or SandboxFailed with the reason."""
        self._open = True
        await self._living_zygote()

    async def close(self) -> None:
        """End every reading and leave no process."""
        self._open = False
        async with self._starting:
            zygote, self._zygote = self._zygote, None
            if zygote is not None:
                await zygote.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def refused(self) -> frozenset[Protection]:
        """The protections that this host does not grant. Log them as a warning at the start."""
        return frozenset(self._zygote.refused) if self._zygote is not None else frozenset()

    async def ping(self) -> None:
        """Raise SandboxFailed unless a zygote answers. A dead zygote is replaced first."""
        zygote = await self._living_zygote()
        await zygote.ping()

    async def read(
        self,
        data: bytes,
        *,
        deadline_seconds: float,
        on_progress: OnProgress,
        cpu_seconds: float | None = None,
        on_spent: OnSpent | None = None,
        reference: str = "",
    ) -> Extraction:
        """Read one document in a process of its own. `on_progress` receives the number of pages read, and of all pages.

        `deadline_seconds` counts from now and includes the wait for a turn. Raises a subclass of UnreadableDocument for
        a cause in the file, also when it used up its limits or its time (R1.5), QuantumUsedUp after `cpu_seconds` of
        processor time, and SandboxFailed for any other cause. Cancelling kills the child.

        `on_spent` gets the processor time that the child used, with every outcome, unless the time is unknown. The
        beginning of `reference`, the id of the request, is the child's name in lists of processes and the kernel's log.
        """
        deadline = asyncio.get_running_loop().time() + deadline_seconds
        asked = Asked(data=data, deadline=deadline, cpu_seconds=cpu_seconds, reference=reference)
        outcome = "read"
        try:
            async with self._turn(deadline):
                async with self._child(asked, on_spent) as (child, lines):
                    extraction = await self._read(child, lines, deadline, on_progress)
                self._restarts = 0
                return extraction
        except BaseException as error:
            outcome = verdict.outcome(error)
            raise
        finally:
            SANDBOX_READINGS.labels(outcome=outcome).inc()

    async def picture(
        self, data: bytes, box: Box, *, deadline_seconds: float, cpu_seconds: float, reference: str = ""
    ) -> bytes:
        """Draw the part of a page that shows an entry, as a PNG from a process that is not trusted.

        It takes its turn among the readings. Raises as `read` does.
        """
        deadline = asyncio.get_running_loop().time() + deadline_seconds
        asked = Asked(data=data, deadline=deadline, cpu_seconds=cpu_seconds, reference=reference, box=box)
        async with self._turn(deadline), self._child(asked, None) as (child, lines):
            try:
                async with asyncio.timeout_at(deadline):
                    message = await self._next_message(child, lines)
            except TimeoutError:
                raise TookTooLong from None
        match message:
            case Painted(image=image):
                return image
            case Refused():
                raise verdict.refusal(message)
            case Failed(error=error):
                raise SandboxFailed(f"the painter failed: {error}")
            case _:
                raise SandboxFailed("the drawing process sent another message than a picture")

    @asynccontextmanager
    async def _turn(self, deadline: float) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            raise SandboxFailed("the deadline passed while other documents were read") from None
        try:
            yield
        finally:
            self._slots.release()

    @asynccontextmanager
    async def _child(
        self, asked: Asked, on_spent: OnSpent | None
    ) -> AsyncGenerator[tuple[ChildProcess, asyncio.StreamReader]]:
        ours, theirs = socket.socketpair()
        # The child receives nothing from this process.
        ours.shutdown(socket.SHUT_WR)
        lines, writer = await asyncio.open_unix_connection(sock=ours, limit=self._limits.result_bytes_max)
        try:
            with theirs:
                child = await self._start_child(asked, theirs)
            try:
                yield child, lines
            finally:
                await child.end()
                if on_spent and child.cpu_seconds is not None:
                    on_spent(child.cpu_seconds)
        finally:
            writer.close()

    async def _start_child(self, asked: Asked, channel: socket.socket) -> ChildProcess:
        try:
            async with asyncio.timeout_at(asked.deadline):
                zygote = await self._living_zygote()
                return await zygote.fork(
                    asked.data, channel, cpu_seconds=asked.cpu_seconds, reference=asked.reference, box=asked.box
                )
        except TimeoutError:
            raise SandboxFailed("the deadline passed before a reading process had started") from None
        except OSError as error:
            raise SandboxFailed(f"no reading process could be started: {error}") from error

    async def _read(
        self, child: ChildProcess, lines: asyncio.StreamReader, deadline: float, on_progress: OnProgress
    ) -> Extraction:
        wall = asyncio.get_running_loop().time() + self._limits.wall_seconds_max
        timeout = asyncio.timeout_at(min(deadline, wall))
        try:
            async with timeout:
                return await self._follow(child, lines, on_progress)
        except TimeoutError:
            if timeout.expired():
                raise TookTooLong from None
            # An error of `on_progress` that happens to be a TimeoutError.
            raise

    async def _follow(self, child: ChildProcess, lines: asyncio.StreamReader, on_progress: OnProgress) -> Extraction:
        last = 0
        while True:
            message = await self._next_message(child, lines)
            match message:
                case Done(extraction=extraction):
                    return extraction
                case Refused():
                    raise verdict.refusal(message)
                case Failed(error=error):
                    raise SandboxFailed(f"the reader failed: {error}")
                case Painted():
                    raise SandboxFailed("the reading process sent a picture")
                case ReadingProgress(done=done, total=total):
                    # Each page counts once, so a child that sends messages endlessly does not keep its lease.
                    if not last < done <= total:
                        raise SandboxFailed(f"the reading process reported page {done} of {total} after page {last}")
                    last = done
                    heard = on_progress(done, total)
                    if isawaitable(heard):
                        await heard

    async def _next_message(self, child: ChildProcess, lines: asyncio.StreamReader) -> ChildMessage:
        try:
            return _MESSAGES.decode(await lines.readuntil())
        except asyncio.LimitOverrunError:
            raise verdict.result_too_large(self._limits) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise verdict.death(await child.exit(), self._limits) from None
        except msgspec.MsgspecError as error:
            raise SandboxFailed(f"the reading process sent something that is not a message: {error}") from None

    async def _living_zygote(self) -> ZygoteProcess:
        async with self._starting:
            if not self._open:
                raise SandboxFailed("the sandbox is closed")
            if self._zygote is None or not self._zygote.alive:
                await self._replace_zygote()
            assert self._zygote is not None  # noqa: S101 -- for the type checker
            return self._zygote

    async def _replace_zygote(self) -> None:
        if self._zygote is not None:
            await self._zygote.close()
            self._zygote = None
        if self._restarts:
            await asyncio.sleep(_RESTART.pause_seconds(self._restarts, self._roll()))
        self._restarts += 1
        SANDBOX_STARTS.inc()
        zygote = await ZygoteProcess.start(self._options)
        missing = {str(name): reason for name, reason in zygote.refused.items() if name in self._required}
        if missing:
            await zygote.close()
            raise ProtectionMissing(missing)
        self._zygote = zygote


def read_once(data: bytes, *, limits: SandboxLimits, reading: ReadingLimits) -> Extraction:
    """Read one document for a command that has no event loop; raises as `Sandbox.read` does."""

    async def read() -> Extraction:
        async with Sandbox(limits=limits, reading=reading) as sandbox:
            return await sandbox.read(
                data, deadline_seconds=limits.wall_seconds_max, on_progress=lambda _done, _total: None
            )

    return asyncio.run(read())
