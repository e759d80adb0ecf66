"""Tests how the end of a sandboxed child becomes an error."""

import signal

import pytest

from upschedule.pdf import errors
from upschedule.pdf.sandbox import SandboxFailed, SandboxLimits, verdict
from upschedule.pdf.sandbox.messages import Exited, Refused

LIMITS = SandboxLimits(cpu_seconds_max=10)


@pytest.mark.parametrize("cause", [errors.UnreadableDocument, *errors.UnreadableDocument.__subclasses__()])
def test_each_refusal_comes_back_as_its_own_class(cause: type[errors.UnreadableDocument]) -> None:
    """Class and sentence are those that the reader chose."""
    rebuilt = verdict.refusal(Refused(code=cause.code, detail="Because."))
    assert type(rebuilt) is cause
    assert str(rebuilt) == "Because."


@pytest.mark.parametrize(
    ("number", "cpu_seconds", "kind"),
    [
        (signal.SIGXCPU, 10.0, errors.TooComplex),
        (signal.SIGKILL, 11.0, errors.TooComplex),
        (signal.SIGKILL, 9.9, SandboxFailed),
        (signal.SIGTERM, 0.0, SandboxFailed),
        (signal.SIGSEGV, 0.0, errors.UnreadableDocument),
        (signal.SIGSYS, 0.0, errors.UnreadableDocument),
    ],
)
def test_a_signal_is_named_and_blamed_on_who_caused_it(
    number: signal.Signals, cpu_seconds: float, kind: type[Exception]
) -> None:
    """SIGKILL is blamed on the file only if the processor time was used up."""
    verdict_ = verdict.death(Exited(1, number, cpu_seconds), LIMITS)
    assert type(verdict_) is kind
    assert number.name in " ".join([str(verdict_), *getattr(verdict_, "__notes__", [])])


def test_a_signal_without_a_name_is_reported_by_its_number() -> None:
    """Real-time signals have no names."""
    assert "signal 40" in str(verdict.death(Exited(1, 40, 0.0), LIMITS))


def test_an_exit_code_is_reported() -> None:
    """The second byte of the status is the exit code."""
    assert "exit code 3" in str(verdict.death(Exited(1, 3 << 8, 0.0), LIMITS))
