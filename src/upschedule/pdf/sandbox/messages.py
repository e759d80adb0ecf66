"""What worker, zygote and child say to each other: JSON, checked against these types by whoever receives it.

Worker and zygote exchange one message a datagram. A child only speaks, one message a line, and is never trusted.
"""

from typing import Annotated

import msgspec

from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox.limits import Protection, SandboxLimits
from upschedule.timetable.event import Extraction

DATAGRAM_BYTES_MAX = 4096
TEXT_CHARACTERS_MAX = 2000

Text = Annotated[str, msgspec.Meta(max_length=TEXT_CHARACTERS_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class ReaderFunction(msgspec.Struct, frozen=True, kw_only=True):
    """What a child runs: `module:name` of a function with the signature of `upschedule.pdf.reader.read`.

    `warm_up` names what zygote and child call before there is a document, with the limits of reading. Modules are
    looked for in `search_path` after the installed packages.
    """

    function: str = "upschedule.pdf.reader:read"
    warm_up: str | None = "upschedule.pdf.sandbox.warm_up:warm_up"
    search_path: tuple[str, ...] = ()


class ZygoteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """All that a zygote is told at its start. Nothing in it is secret: it stands in the list of processes."""

    reader: ReaderFunction
    limits: SandboxLimits
    reading: ReadingLimits


class Fork(msgspec.Struct, frozen=True, tag=True):
    """Read a document: with it come the descriptors of the document and of the child's end of its channel.

    `cpu_seconds` ends the child sooner than the limit of all children would; such a reading may be repeated.
    """

    id: int
    cpu_seconds: float | None = None


class Kill(msgspec.Struct, frozen=True, tag=True):
    """End the child of this request, if it still runs. No answer but its `Exited`."""

    id: int


class Ping(msgspec.Struct, frozen=True, tag=True):
    """Answer, to show that the zygote serves."""

    id: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The zygote is warm; `refused` says which protections this host does not grant, and why."""

    refused: dict[Protection, str]


class Answered(msgspec.Struct, frozen=True, tag=True):
    """A `Fork` or `Ping` was obeyed, or could not be for this reason."""

    id: int
    problem: str | None = None


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A child ended: its status as `wait4` gives it, and what it had used."""

    id: int
    status: int
    cpu_seconds: float


class Progress(msgspec.Struct, frozen=True, tag=True):
    """Pages read, of pages in all."""

    done: Count
    total: Count


class Done(msgspec.Struct, frozen=True, tag=True):
    """The document was read."""

    extraction: Extraction


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The document cannot be read: the code of a class of `upschedule.pdf.errors`, and its sentence."""

    code: Text
    detail: Text


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The reader ended with an exception that is no refusal: a defect, or a step that the sandbox forbids."""

    error: Text


Request = Fork | Kill | Ping
Report = Ready | Answered | Exited
ChildMessage = Progress | Done | Refused | Failed
