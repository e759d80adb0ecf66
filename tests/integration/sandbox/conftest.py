"""A sandbox whose children run the code of an attacker."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tests.support.paths import SUPPORT
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import ReaderFunction, Sandbox, SandboxLimits

OpenHostile = Callable[..., AbstractAsyncContextManager[Sandbox]]


def hostile_reader(name: str) -> ReaderFunction:
    """The reader that is this function of hostile.py."""
    return ReaderFunction(function=f"hostile:{name}", warm_up=None, search_path=(str(SUPPORT / "sandbox"),))


@pytest.fixture
def hostile() -> OpenHostile:
    """Opens a sandbox whose reader is this function of hostile.py."""

    @asynccontextmanager
    async def open_sandbox(name: str, **limits: Any) -> AsyncIterator[Sandbox]:
        chosen = SandboxLimits(**limits)
        async with Sandbox(limits=chosen, reading=ReadingLimits(), reader=hostile_reader(name)) as sandbox:
            yield sandbox

    return open_sandbox
