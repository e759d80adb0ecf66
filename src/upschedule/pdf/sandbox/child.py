"""The process that reads one hostile document and can do nothing else."""

import os
import signal
import socket
import traceback
from collections.abc import Callable
from typing import NoReturn, Protocol

import msgspec

from upschedule.pdf.errors import UnreadableDocument
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox.kernel import name_process
from upschedule.pdf.sandbox.limits import Protection
from upschedule.pdf.sandbox.lockdown import lock_down
from upschedule.pdf.sandbox.messages import (
    TEXT_CHARACTERS_MAX,
    ChildMessage,
    Done,
    Failed,
    Painted,
    ReadingProgress,
    Refused,
    Start,
    ZygoteOptions,
)
from upschedule.timetable.event import Box

#: Exit code of a child that ran out of memory: it may not have enough left to say so in words.
OUT_OF_MEMORY = 71
#: The zygote opens few descriptors and holds its own limit to this, so closing all of them is quick.
DESCRIPTORS_MAX = 1024

# The zygote's standard input and output are /dev/null; its standard error is the worker's to read.
_DEV_NULL = 0
_STANDARD_ERROR = 2
_FRAMES_TOLD = 8
_MESSAGE_BYTES_MAX = 1024
# Made before there is a document.
_STARTS = msgspec.json.Decoder[Start](Start)


class Reader(Protocol):
    """The function that a child runs."""

    def __call__(self, data: bytes, *, limits: ReadingLimits, progress: Callable[[int, int], None]) -> object:
        """Read a document."""
        ...


class Painter(Protocol):
    """The function that a child runs for a picture."""

    def __call__(self, data: bytes, box: Box, *, limits: ReadingLimits) -> bytes:
        """Draw a part of a page as a PNG."""
        ...


def run(
    reader: Reader,
    painter: Painter,
    warm_up: Callable[[], object],
    options: ZygoteOptions,
    refused: frozenset[Protection],
    *,
    link: int,
) -> NoReturn:
    """Warm up, wait for a document on `link` (a descriptor), lock down, read or draw, send the result, end.

    The warm-up makes this process's own copies of the memory that reading writes to, so that no document waits for it.
    """
    code = 1
    channel = _DEV_NULL
    zygote = os.getppid()
    try:
        _close_all_but(link)
        warm_up()
        data, channel, start = _wait_for_document(link)
        if start.reference:
            name_process(start.reference)
        if start.cpu_seconds is not None:
            # A timer, because the kernel's limit counts whole seconds. After the lock-down it cannot be set again.
            signal.setitimer(signal.ITIMER_PROF, start.cpu_seconds)
        lock_down(options.limits, refused, parent=zygote)
        if start.box is None:
            _send(channel, _outcome(reader, data, options.reading, channel))
        else:
            _send(channel, _picture(painter, data, start.box, options.reading))
        code = 0
    except MemoryError:
        code = OUT_OF_MEMORY
    except Exception as error:  # noqa: BLE001 -- every error is reported, and the process ends
        _send(channel, Failed(error=_describe(error)))
    finally:
        os._exit(code)


def _close_all_but(link: int) -> None:
    os.dup2(_DEV_NULL, _STANDARD_ERROR)
    os.closerange(_STANDARD_ERROR + 1, link)
    os.closerange(link + 1, DESCRIPTORS_MAX)


def _wait_for_document(link: int) -> tuple[bytes, int, Start]:
    """Return the document, the descriptor of the channel, and what else this reading has.

    The channel is the only descriptor open then, but for /dev/null.
    """
    with socket.socket(fileno=link) as zygote:
        message, descriptors, _, _ = socket.recv_fds(zygote, _MESSAGE_BYTES_MAX, 2)
    if len(descriptors) != 2:  # noqa: PLR2004 -- document and channel
        raise ProcessLookupError("the zygote has ended")
    document, channel = descriptors
    data = os.pread(document, os.fstat(document).st_size, 0)
    os.close(document)
    return data, channel, _STARTS.decode(message)


def _outcome(reader: Reader, data: bytes, reading: ReadingLimits, channel: int) -> ChildMessage | Done:
    last = 0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if done > last:
            last = done
            _send(channel, ReadingProgress(done, total))

    try:
        return Done(reader(data, limits=reading, progress=progress))  # pyright: ignore[reportArgumentType] - the parent checks
    except UnreadableDocument as refusal:
        return Refused(code=refusal.code, detail=refusal.detail[:TEXT_CHARACTERS_MAX])


def _picture(painter: Painter, data: bytes, box: Box, reading: ReadingLimits) -> ChildMessage:
    try:
        return Painted(painter(data, box, limits=reading))
    except UnreadableDocument as refusal:
        return Refused(code=refusal.code, detail=refusal.detail[:TEXT_CHARACTERS_MAX])


def _describe(error: Exception) -> str:
    """The stack of the error, innermost frame first, without its message: that may quote the document."""
    # Not extract_tb: it would open the source files.
    frames = list(traceback.walk_tb(error.__traceback__))[-_FRAMES_TOLD:]
    places = " < ".join(
        f"{frame.f_globals.get('__name__')}:{line} {frame.f_code.co_name}" for frame, line in reversed(frames)
    )
    name = type(error).__name__
    if isinstance(error, ImportError):
        name = f"{name} ({error.name})"
    elif isinstance(error, OSError):
        name = f"{name} ({error.strerror})"
    return f"{name} at {places}"[:TEXT_CHARACTERS_MAX]


def _send(channel: int, message: ChildMessage) -> None:
    line = memoryview(msgspec.json.encode(message) + b"\n")
    while line:
        line = line[os.write(channel, line) :]
