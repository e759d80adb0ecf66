"""Holds back a canary of a worker or scheduler until its release has been promoted."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from upschedule.settings import RolloutSettings

_log = structlog.get_logger(__name__)

_LIVE = "live"
_CANARY = "canary"
_POLL_SECONDS = 1.0


class LiveState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the process may take live work, and the share of the documents, from 0 to 1, that a canary may take."""

    live: bool
    share: float = 0.0


def state_file(settings: RolloutSettings) -> Path | None:
    """None: the process may take live work at once."""
    return Path(settings.standing_file) if settings.standing_file else None


def state_of(rollout_state_file: Path | None, *, clock: Callable[[], float] = time.time) -> LiveState:
    """What the file says now: `live`, `canary`, or `canary PERCENT UNTIL` for a share that ends at that Unix time.

    Anything else, an unreadable file included, is a canary without a share.
    """
    if rollout_state_file is None:
        return LiveState(live=True)
    try:
        words = rollout_state_file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        words = []
    if words == [_LIVE]:
        return LiveState(live=True)
    return LiveState(live=False, share=_share(words, clock()))


def _share(words: list[str], now: float) -> float:
    match words:
        case [word, percent, until] if word == _CANARY:
            try:
                share, ends_at = float(percent) / 100, float(until)
            except ValueError:
                return 0.0
            return share if 0 < share <= 1 and now < ends_at else 0.0
        case _:
            return 0.0


class RolloutGate:
    """The state of this process. Once it is live it stays so, even if the file changes.

    An instance never becomes a canary again. But Nomad also writes an empty file when Consul gives no instances, after
    a restored snapshot or without a right to read them for example.
    """

    def __init__(self, rollout_state_file: Path | None) -> None:
        self._file = rollout_state_file
        self._live = False

    def state(self) -> LiveState:
        if self._live:
            return LiveState(live=True)
        found = state_of(self._file)
        self._live = found.live
        return found

    async def until(self, wanted: Callable[[LiveState], bool]) -> LiveState:
        """Returns once the state is `wanted`."""
        while not wanted(state := self.state()):  # noqa: ASYNC110 - Nomad writes a file, it sets no event
            await asyncio.sleep(_POLL_SECONDS)
        return state


async def wait_until_promoted(rollout_state_file: Path | None) -> None:
    """Returns once the file contains `live`; at once if there is no file to read.

    An empty or unreadable file counts as not promoted.
    """
    gate = RolloutGate(rollout_state_file)
    if gate.state().live:
        return
    _log.info("waiting_for_promotion", reason="a canary takes no live work until its release is promoted")
    await gate.until(lambda state: state.live)
    _log.info("promoted")
