"""Interprets a child's last message, or its end without one, as a result or an error."""

import asyncio
import os
import signal

from upschedule.pdf.errors import TooComplex, TookTooLong, UnreadableDocument
from upschedule.pdf.sandbox.child import OUT_OF_MEMORY
from upschedule.pdf.sandbox.errors import QuantumUsedUp, SandboxFailed
from upschedule.pdf.sandbox.limits import SandboxLimits
from upschedule.pdf.sandbox.messages import Exited, Refused

#: Signals that a process brings upon itself: here, by a file that breaks the reader.
_CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
)


def refusal(message: Refused) -> Exception:
    """The error that the reader raised."""
    for cause in (UnreadableDocument, *_subclasses(UnreadableDocument)):
        if cause.code == message.code:
            return cause(message.detail)
    return SandboxFailed(f"the reader refused the document with an unknown code ({message.code!r})")


def death(exited: Exited, limits: SandboxLimits) -> Exception:
    """The error of a child that ended without a result. A note names the signal if the file is to blame."""
    code = os.waitstatus_to_exitcode(exited.status)
    if code == OUT_OF_MEMORY:
        return _blaming(TooComplex(), f"it needed more than {limits.memory_bytes_max} bytes of memory")
    if code >= 0:
        return SandboxFailed(f"the reading process ended with exit code {code} before its result")
    if -code == signal.SIGPROF:
        return QuantumUsedUp(f"{exited.cpu_seconds:.1f} s of processor time")
    name = signal_name(-code)
    out_of_time = exited.cpu_seconds >= limits.cpu_seconds_max
    if -code == signal.SIGXCPU or (-code == signal.SIGKILL and out_of_time):
        return _blaming(TooComplex(), f"{name} after {exited.cpu_seconds:.1f} s of processor time")
    if -code in _CRASHES:
        return _blaming(UnreadableDocument(), f"the reading process crashed with {name}")
    return SandboxFailed(f"the reading process was killed by {name}")


def outcome(error: BaseException) -> str:
    """The outcome of a reading that ended with this error, for a metric."""
    match error:
        case TookTooLong():
            return "timeout"
        case QuantumUsedUp():
            return "quantum"
        case UnreadableDocument():
            # Only `death` and `result_too_large` add notes; the reader's own refusals have none.
            if not getattr(error, "__notes__", None):
                return "refused"
            return "limit" if isinstance(error, TooComplex) else "crashed"
        case asyncio.CancelledError():
            return "cancelled"
        case _:
            return "failed"


def result_too_large(limits: SandboxLimits) -> Exception:
    """The error of a child that sent too much."""
    return _blaming(TooComplex(), f"its result had more than {limits.result_bytes_max} bytes")


def signal_name(number: int) -> str:
    """The name of a signal, or its number if it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _blaming(error: UnreadableDocument, note: str) -> UnreadableDocument:
    error.add_note(note)
    return error


def _subclasses(cause: type[UnreadableDocument]) -> list[type[UnreadableDocument]]:
    return [found for child in cause.__subclasses__() for found in (child, *_subclasses(child))]
