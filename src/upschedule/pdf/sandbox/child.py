"""The process that reads one hostile document and can do nothing else."""

import os
import traceback
from collections.abc import Callable
from typing import NoReturn, Protocol

import msgspec

from upschedule.pdf.errors import UnreadableDocument
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox.limits import Protection
from upschedule.pdf.sandbox.lockdown import lock_down
from upschedule.pdf.sandbox.messages import (
    TEXT_CHARACTERS_MAX,
    ChildMessage,
    Done,
    Failed,
    Progress,
    Refused,
    ZygoteOptions,
)

#: Exit code of a child that ran out of memory: it may not have enough left to say so in words.
OUT_OF_MEMORY = 71
#: The zygote opens few descriptors and holds its own limit to this, so closing all of them is quick.
DESCRIPTORS_MAX = 1024

# The zygote's standard input and output are /dev/null; its standard error is the worker's to read.
_DEV_NULL = 0
_STANDARD_ERROR = 2
_FRAMES_TOLD = 8


class Reader(Protocol):
    """The function that a child runs."""

    def __call__(self, data: bytes, *, limits: ReadingLimits, progress: Callable[[int, int], None]) -> object:
        """Read a document."""
        ...


def run(
    reader: Reader, options: ZygoteOptions, refused: frozenset[Protection], *, zygote: int, document: int, channel: int
) -> NoReturn:
    """Take the document, lock down, read, say what came of it, end. `document` and `channel` are descriptors."""
    code = 1
    try:
        data = _take(document)
        _close_all_but(channel)
        lock_down(options.limits, refused, parent=zygote)
        _send(channel, _outcome(reader, data, options.reading, channel))
        code = 0
    except MemoryError:
        code = OUT_OF_MEMORY
    except Exception as error:  # noqa: BLE001 -- whatever it was, it is told and the process ends
        _send(channel, Failed(error=_describe(error)))
    finally:
        os._exit(code)


def _take(document: int) -> bytes:
    return os.pread(document, os.fstat(document).st_size, 0)


def _close_all_but(channel: int) -> None:
    os.dup2(_DEV_NULL, _STANDARD_ERROR)
    os.closerange(3, channel)
    os.closerange(channel + 1, DESCRIPTORS_MAX)


def _outcome(reader: Reader, data: bytes, reading: ReadingLimits, channel: int) -> ChildMessage | Done:
    last = 0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if done > last:
            last = done
            _send(channel, Progress(done, total))

    try:
        return Done(reader(data, limits=reading, progress=progress))  # type: ignore[arg-type]
    except UnreadableDocument as refusal:
        return Refused(code=refusal.code, detail=refusal.detail[:TEXT_CHARACTERS_MAX])


def _describe(error: Exception) -> str:
    """Where it happened, innermost first. The words of the error are left out: they may quote the document."""
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
