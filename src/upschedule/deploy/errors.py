"""Exit codes of `upschedule deploy`, and the errors that end a command early."""

import enum
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import ClassVar


class ExitCode(enum.IntEnum):
    """`docs/releases.md` lists them for scripts; 1 and 2 are click's own."""

    DONE = 0
    UNREACHABLE = 3
    UNDER_WAY = 10
    FAILED = 11
    UNHEALTHY = 12
    GATE_NOT_PASSED = 20
    NOTHING_TO_GATE = 21
    ROLLED_BACK = 22
    NOT_VERIFIED = 23
    NOT_REVERTED = 24
    SUPERSEDED = 25
    TOO_LONG = 26
    PARTLY_KNOWN = 27
    NOT_SURE = 28
    INTERRUPTED = 130


class DeployError(Exception):
    """The text is a sentence for the terminal; `exit_code` is what the command ends with."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNREACHABLE

    @property
    def is_silence(self) -> bool:
        """Whether a server did not do now what it may do later, as after the election of a leader."""
        return False


class InvalidVariable(DeployError):
    """An environment variable has a value that is not allowed."""

    def __init__(self, name: str, allowed: str) -> None:
        super().__init__(f"{name} must be {allowed}")


class ServerError(DeployError):
    """A server did not do what was requested; `reason` is the text without the server's name."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason

    @property
    def is_silence(self) -> bool:
        return True


class ServerUnreachable(ServerError):
    """No answer arrived in time, or the answer could not be read."""

    def __init__(self, server: str, reason: object) -> None:
        super().__init__(f"{server} cannot be asked: {reason}", str(reason))


class ServerRefused(ServerError):
    """The server answered with a status that is not a success.

    The text is complete: the project's own provider of Nomad removes secrets from it, which it could not find once cut.
    """

    def __init__(self, server: str, request: str, status: int, text: str) -> None:
        hint = " (may this token do that?)" if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} else ""
        reason = f"{status} {text.strip()}"
        super().__init__(f"{server} refuses {request}: {reason}{hint}", reason)
        self.status = status
        self.text = text

    @property
    def is_forbidden(self) -> bool:
        """This token may not do that; one with other rights may."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def is_silence(self) -> bool:
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Superseded(DeployError):
    """Another change of the same jobs began during a promotion."""

    exit_code = ExitCode.SUPERSEDED

    def __init__(self, job: str, seen: int, version: int) -> None:
        super().__init__(
            f"{job} changed from version {seen} to version {version} during this command: another command or person is "
            "changing the same job. This command has stopped and changes nothing more. `upschedule deploy status` "
            "shows what runs."
        )


class PartlyKnown(DeployError):
    """A server did not answer while the jobs changed, so that it is not known how far the change went.

    `then` says what to do once the server answers.
    """

    exit_code = ExitCode.PARTLY_KNOWN

    def __init__(
        self,
        what: str,
        known: str,
        reason: str,
        *,
        then: str = "`upschedule deploy promote` finishes it, and `upschedule deploy revert` undoes it",
    ) -> None:
        super().__init__(f"A server did not answer during {what}: {reason}. Known: {known}. Once it answers, {then}.")


@contextmanager
def silence_leaves_partly_known(what: str, known: str) -> Generator[None]:
    """Wraps everything after the first change, so that a silent server is never reported as "nothing was changed"."""
    try:
        yield
    except ServerUnreachable as error:
        raise PartlyKnown(what, known, error.reason) from error
