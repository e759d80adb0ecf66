"""What ends a command of `upschedule deploy` early."""


class DeployError(Exception):
    """Its text is a sentence for the terminal."""


class ServerUnreachable(DeployError):
    """No answer in time, or one that makes no sense."""

    def __init__(self, server: str, reason: object) -> None:
        super().__init__(f"{server} cannot be asked: {reason}")


class ServerRefused(DeployError):
    """It answered, and did not do it."""

    def __init__(self, server: str, request: str, status: int, text: str) -> None:
        hint = " (may this token do that?)" if status in {401, 403} else ""
        super().__init__(f"{server} refuses {request}: {status} {text.strip()[:300]}{hint}")
        self.status = status


class Superseded(DeployError):
    """Somebody else acts on the same jobs."""

    def __init__(self, job: str, seen: int, version: int) -> None:
        super().__init__(
            f"{job} changed from version {seen} to version {version} meanwhile: somebody else is at work. "
            "Nothing more is done here; look at `upschedule deploy status`."
        )
