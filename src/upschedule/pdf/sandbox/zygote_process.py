"""The worker's side of a zygote: starts it, requests children from it, and notices its death."""

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from upschedule.pdf.sandbox.errors import SandboxFailed
from upschedule.pdf.sandbox.limits import Protection
from upschedule.pdf.sandbox.messages import (
    DATAGRAM_BYTES_MAX,
    REFERENCE_CHARACTERS_MAX,
    Answered,
    Exited,
    Fork,
    Kill,
    Ping,
    Ready,
    Report,
    Request,
    ZygoteOptions,
)
from upschedule.pdf.sandbox.verdict import signal_name
from upschedule.timetable.event import Box

# A second of processor; with fifty others on two cores, each abandoned start delays the others further.
_START_SECONDS_MAX = 120.0
_ANSWER_SECONDS_MAX = 5.0
_EXIT_SECONDS_MAX = 1.0
_STDERR_CHARACTERS_MAX = 2000
_COMMAND = (sys.executable, "-I", "-X", "utf8", str(Path(__file__).with_name("start.py")))
_REPORTS = msgspec.json.Decoder(Report)


class ZygoteProcess:
    """One zygote, from its start to its death; a dead one is replaced, not revived."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, stderr: int) -> None:
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        self._control = control
        self._stderr = stderr
        self._ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, asyncio.Future[Answered]] = {}
        self._exits: dict[int, asyncio.Future[Exited]] = {}
        self._last_id = 0
        self._death: str | None = None
        self._condemned = False
        self._listener = asyncio.create_task(self._listen(), name="sandbox-zygote")

    @classmethod
    async def start(cls, options: ZygoteOptions) -> Self:
        """Return it when it is warm. Raises SandboxFailed, with what it wrote to standard error."""
        zygote = cls(*_spawn(options))
        try:
            async with asyncio.timeout(_START_SECONDS_MAX):
                await asyncio.shield(zygote._ready)
        except BaseException as error:
            await zygote.close()
            if isinstance(error, TimeoutError):
                raise SandboxFailed(f"the zygote was not ready within {_START_SECONDS_MAX:.0f} s") from None
            raise
        return zygote

    @property
    def alive(self) -> bool:
        """False as soon as its death was noticed or requested."""
        return self._death is None and not self._condemned

    @property
    def refused(self) -> Mapping[Protection, str]:
        """The protections that this host does not grant, and why."""
        return self._ready.result().refused

    async def fork(
        self,
        data: bytes,
        channel: socket.socket,
        *,
        cpu_seconds: float | None = None,
        reference: str = "",
        box: Box | None = None,
    ) -> "ChildProcess":
        """Start a child on a document; `channel` is its end. Raises SandboxFailed, or OSError for want of memory."""
        request_id = self._next_id()
        exited: asyncio.Future[Exited] = asyncio.get_running_loop().create_future()
        self._exits[request_id] = exited
        child = ChildProcess(self, request_id, exited)
        document = _sealed(data)
        try:
            fork = Fork(request_id, cpu_seconds, reference[:REFERENCE_CHARACTERS_MAX], box)
            await self._ask(fork, document, channel.fileno())
        except SandboxFailed:
            self.forget_child(request_id)
            raise
        except asyncio.CancelledError:
            await child.end()
            raise
        finally:
            os.close(document)
        return child

    async def ping(self) -> None:
        """Raise SandboxFailed unless it answers."""
        await self._ask(Ping(self._next_id()))

    def kill_child(self, request_id: int) -> None:
        """End a child at once. If the zygote cannot be reached, end the zygote and with it all of its children."""
        try:
            self._send(Kill(request_id))
        except SandboxFailed:
            self.kill()

    def forget_child(self, request_id: int) -> None:
        """Drop the record of a child that has ended."""
        self._exits.pop(request_id, None)

    def kill(self) -> None:
        """End the zygote at once; the kernel ends its children."""
        self._condemned = True
        if self._process.returncode is None:
            # Not Popen.kill, which may reap the process that the listener waits for.
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def close(self) -> None:
        """End it and wait until it has ended."""
        self.kill()
        await self._listener
        self._control.close()
        os.close(self._pidfd)
        os.close(self._stderr)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _send(self, request: Request, *descriptors: int) -> None:
        if self._death is not None:
            raise SandboxFailed(self._death)
        try:
            socket.send_fds(self._control, [msgspec.json.encode(request)], descriptors)
        except OSError as error:
            raise SandboxFailed(f"the zygote takes no request: {error}") from error

    async def _ask(self, request: Fork | Ping, *descriptors: int) -> None:
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._answers[request.id] = answer
        try:
            self._send(request, *descriptors)
            async with asyncio.timeout(_ANSWER_SECONDS_MAX):
                problem = (await answer).problem
        except TimeoutError:
            self.kill()
            raise SandboxFailed(f"the zygote did not answer within {_ANSWER_SECONDS_MAX:.0f} s") from None
        finally:
            del self._answers[request.id]
        if problem is not None:
            raise SandboxFailed(f"the zygote could not fork: {problem}")

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(self._control, DATAGRAM_BYTES_MAX):
                self._take(_REPORTS.decode(data))
        except ConnectionError:
            pass
        try:
            # It closes its end as it exits: its exit code says more than our signal would.
            async with asyncio.timeout(_EXIT_SECONDS_MAX):
                await _readable(self._pidfd)
        except TimeoutError:
            self.kill()
            await _readable(self._pidfd)
        self._died(self._process.wait())

    def _take(self, report: Report) -> None:
        match report:
            case Ready():
                self._ready.set_result(report)
            case Answered(id=request_id):
                _settle(self._answers.get(request_id), report)
            case Exited(id=request_id):
                _settle(self._exits.get(request_id), report)

    def _died(self, code: int) -> None:
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        self._death = ": ".join(filter(None, (f"the zygote {how}", self._last_words())))
        for waiting in (self._ready, *self._answers.values(), *self._exits.values()):
            if not waiting.done():
                waiting.set_exception(SandboxFailed(self._death))
                # A request that was cancelled meanwhile has no reader left.
                waiting.exception()

    def _last_words(self) -> str:
        size = os.fstat(self._stderr).st_size
        start = max(0, size - _STDERR_CHARACTERS_MAX)
        lines = os.pread(self._stderr, size - start, start).decode(errors="replace").splitlines()
        return lines[-1] if lines else ""


class ChildProcess:
    """The worker's view of a child that reads one document."""

    def __init__(self, zygote: ZygoteProcess, request_id: int, exited: asyncio.Future[Exited]) -> None:
        self._zygote = zygote
        self._id = request_id
        self._exited = exited

    async def exit(self) -> Exited:
        """Wait until it has ended. Raises SandboxFailed when its zygote died."""
        return await asyncio.shield(self._exited)

    @property
    def cpu_seconds(self) -> float | None:
        """Its total CPU time; None while it runs, or if its zygote died first."""
        if not self._exited.done() or self._exited.cancelled() or self._exited.exception() is not None:
            return None
        return self._exited.result().cpu_seconds

    async def end(self) -> None:
        """Kill it if it runs, and wait until it is gone."""
        if not self._exited.done():
            self._zygote.kill_child(self._id)
            await asyncio.wait((self._exited,), timeout=_ANSWER_SECONDS_MAX)
        if not self._exited.done():
            self._zygote.kill()
            await asyncio.wait((self._exited,))
        self._zygote.forget_child(self._id)


def _spawn(options: ZygoteOptions) -> tuple[subprocess.Popen[bytes], socket.socket, int]:
    """Return the process, our end of its control socket, and the file in memory that is its standard error."""
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.setblocking(False)  # noqa: FBT003 -- the standard library's signature
    stderr = os.memfd_create("zygote-stderr")
    search_path = msgspec.json.encode([place for place in sys.path if place]).decode()
    try:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 -- this interpreter and a module of ours
                (*_COMMAND, search_path, str(theirs.fileno()), msgspec.json.encode(options).decode()),
                pass_fds=(theirs.fileno(),),
                # Secrets in the worker's environment must not be in the memory that reads hostile files.
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                # Apart from the terminal's process group.
                start_new_session=True,
            )
    except OSError as error:
        control.close()
        os.close(stderr)
        raise SandboxFailed(f"the zygote could not be started: {error}") from error
    return process, control, stderr


async def _readable(pidfd: int) -> None:
    """Wait until a process has ended, without a thread and without reaping it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)


def _settle(waiting: asyncio.Future[Answered] | asyncio.Future[Exited] | None, report: Answered | Exited) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(report)  # pyright: ignore[reportArgumentType] - each report has its own future


def _sealed(data: bytes) -> int:
    """A descriptor of a sealed copy in memory, which no process can change or shrink."""
    descriptor = os.memfd_create("document", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    fcntl.fcntl(
        descriptor,
        fcntl.F_ADD_SEALS,
        fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL,
    )
    return descriptor
