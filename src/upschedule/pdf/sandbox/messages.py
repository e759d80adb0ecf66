"""Messages between worker, zygote and child: JSON that the receiver validates against these types.

Worker and zygote exchange one message a datagram. A child only sends, one message a line, and is never trusted.
"""

from typing import Annotated

import msgspec

from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox.limits import Protection, SandboxLimits
from upschedule.timetable.event import Box, Extraction

DATAGRAM_BYTES_MAX = 4096
TEXT_CHARACTERS_MAX = 2000
#: The kernel cuts the name of a process to 15 bytes.
REFERENCE_CHARACTERS_MAX = 15

Text = Annotated[str, msgspec.Meta(max_length=TEXT_CHARACTERS_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class ReaderFunction(msgspec.Struct, frozen=True, kw_only=True):
    """The functions that a child runs: `module:name` of one with the signature of `upschedule.pdf.reader.read`.

    `painter` is one like `upschedule.pdf.picture.paint`. `warm_up` names the function that zygote and child call with
    the limits of reading before there is a document. Modules are imported from `search_path` after the installed
    packages.
    """

    function: str = "upschedule.pdf.reader:read"
    painter: str = "upschedule.pdf.picture:paint"
    warm_up: str | None = "upschedule.pdf.sandbox.warm_up:warm_up"
    search_path: tuple[str, ...] = ()


class ZygoteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a zygote, passed on its command line: they are visible in the process list and hold no secret."""

    reader: ReaderFunction
    limits: SandboxLimits
    reading: ReadingLimits


class Fork(msgspec.Struct, frozen=True, tag=True):
    """Read a document. The message carries the descriptors of the document and of the child's end of its channel.

    `cpu_seconds` ends the child sooner than the limit of all children would; such a reading may be repeated.
    `reference` becomes the child's name: the beginning of the id of the request that sent the document. With `box` the
    child draws this part of a page and reads nothing.
    """

    id: int
    cpu_seconds: float | None = None
    reference: str = ""
    box: Box | None = None


class Start(msgspec.Struct, frozen=True):
    """The message of the zygote to the waiting child, with the same descriptors."""

    cpu_seconds: float | None
    reference: str
    box: Box | None


class Kill(msgspec.Struct, frozen=True, tag=True):
    """End the child of this request, if it still runs. No answer but its `Exited`."""

    id: int


class Ping(msgspec.Struct, frozen=True, tag=True):
    """Ask for an answer, which shows that the zygote serves requests."""

    id: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The zygote is warm. `refused` gives the protections that this host does not grant, with the reasons."""

    refused: dict[Protection, str]


class Answered(msgspec.Struct, frozen=True, tag=True):
    """The answer to a `Fork` or `Ping`. `problem` is the reason if it failed."""

    id: int
    problem: str | None = None


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A child has ended. `status` is as from `wait4`."""

    id: int
    status: int
    cpu_seconds: float


class ReadingProgress(msgspec.Struct, frozen=True, tag=True):
    """The number of pages read, and of all pages."""

    done: Count
    total: Count


class Done(msgspec.Struct, frozen=True, tag=True):
    """The document was read."""

    extraction: Extraction


class Painted(msgspec.Struct, frozen=True, tag=True):
    """The part of the page was drawn; `image` is a PNG."""

    image: bytes


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The document cannot be read. `code` is that of a class of `upschedule.pdf.errors`, `detail` its message."""

    code: Text
    detail: Text


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The reader raised another exception: a defect, or an operation that the sandbox forbids."""

    error: Text


Request = Fork | Kill | Ping
Report = Ready | Answered | Exited
ChildMessage = ReadingProgress | Done | Painted | Refused | Failed
