"""Reads a known schedule before the worker reads any other, and compares the result."""

import asyncio

import structlog

from upschedule.errors import Refusal
from upschedule.golden import Golden
from upschedule.pdf.sandbox import Sandbox, SandboxFailed

_log = structlog.get_logger(__name__)

_READ_SECONDS_MAX = 60.0
_AGAIN_SECONDS = 5.0


class GoldenNotRead(Exception):
    """The golden schedule has not been read yet."""


class GoldenMisread(Exception):
    """The golden schedule was read wrongly, so this release would misread other schedules."""


class SelfCheck:
    """`ping` is the dependency `golden` of the worker's readiness."""

    def __init__(self, sandbox: Sandbox, golden: Golden) -> None:
        self._sandbox = sandbox
        self._golden = golden
        self._outcome: Exception | None = GoldenNotRead()

    async def ping(self) -> None:
        """Raises GoldenNotRead or GoldenMisread."""
        if self._outcome:
            raise self._outcome

    async def passed(self) -> bool:
        """Returns after the first reading that ended. Repeats it after SandboxFailed; a wrong result is final."""
        while True:
            try:
                right = await self._reads_right()
            except SandboxFailed as error:
                _log.warning("golden_not_read", reason=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            self._outcome = None if right else GoldenMisread()
            return right

    async def _reads_right(self) -> bool:
        try:
            read = await self._sandbox.read(
                self._golden.document, deadline_seconds=_READ_SECONDS_MAX, on_progress=lambda _done, _total: None
            )
        except Refusal as refusal:
            _log.error("golden_misread", reason=f"the golden schedule was refused as {refusal.code}; nothing is read")
            return False
        if not self._golden.agrees(read):
            _log.error(
                "golden_misread",
                reason="the golden schedule was read, but not as it is printed; this worker reads nothing",
                events=len(read.events),
                events_expected=len(self._golden.expected.events),
            )
            return False
        return True
