"""Reads the golden documents before the worker reads any other, and compares the results."""

import asyncio
from collections.abc import Sequence

import structlog

from upschedule.errors import Refusal
from upschedule.golden import Golden
from upschedule.pdf.sandbox import Sandbox, SandboxFailed

_log = structlog.get_logger(__name__)

_READ_SECONDS_MAX = 60.0
_AGAIN_SECONDS = 5.0
#: A reader that is wrong everywhere would fill the log.
_DIFFERENCES_MAX = 3


class GoldenNotRead(Exception):
    """The golden documents have not been read yet."""


class GoldenMisread(Exception):
    """A golden document was read wrongly, so this release would misread other documents."""


class SelfCheck:
    """`ping` is the dependency `golden` of the worker's readiness."""

    def __init__(self, sandbox: Sandbox, golden: Sequence[Golden]) -> None:
        self._sandbox = sandbox
        self._golden = golden
        self._passed = False

    async def ping(self) -> None:
        """Raises GoldenNotRead."""
        if not self._passed:
            raise GoldenNotRead

    async def run(self) -> None:
        """Reads all of them, and each again after SandboxFailed. Raises GoldenMisread for the first wrong result."""
        for golden in self._golden:
            await self._check(golden)
        self._passed = True

    async def _check(self, golden: Golden) -> None:
        while True:
            try:
                read = await self._sandbox.read(
                    golden.document, deadline_seconds=_READ_SECONDS_MAX, on_progress=lambda _done, _total: None
                )
            except SandboxFailed as error:
                _log.warning("golden_not_read", layout=golden.layout, reason=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            except Refusal as refusal:
                raise _misread(golden, f"it was refused as {refusal.code}") from refusal
            if wrong := golden.differences(read):
                raise _misread(golden, *wrong[:_DIFFERENCES_MAX])
            return


def _misread(golden: Golden, *differences: str) -> GoldenMisread:
    _log.error("golden_misread", layout=golden.layout, differences=differences)
    return GoldenMisread(
        f"The golden document of {golden.layout} was not read as it is printed, so this worker reads nothing: "
        f"{'; '.join(differences)}"
    )
