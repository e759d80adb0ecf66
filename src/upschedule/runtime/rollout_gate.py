"""Holds back a canary of a worker or scheduler until its release has been promoted."""

import asyncio
from pathlib import Path

import structlog

from upschedule.settings import RolloutSettings

_log = structlog.get_logger(__name__)

_LIVE = "live"
_POLL_SECONDS = 1.0


def state_file(settings: RolloutSettings) -> Path | None:
    """None: the process may take live work at once."""
    return Path(settings.standing_file) if settings.standing_file else None


async def wait_until_promoted(rollout_state_file: Path | None) -> None:
    """Returns once the file contains `live`; at once if there is no file to read.

    An empty or unreadable file counts as not promoted.
    """
    if rollout_state_file is None or _is_live(rollout_state_file):
        return
    _log.info("waiting_for_promotion", reason="a canary takes no live work until its release is promoted")
    while not _is_live(rollout_state_file):  # noqa: ASYNC110 - Nomad writes a file, it sets no event
        await asyncio.sleep(_POLL_SECONDS)
    _log.info("promoted")


def _is_live(file: Path) -> bool:
    try:
        return file.read_text(encoding="utf-8").strip() == _LIVE
    except (OSError, UnicodeDecodeError):
        return False
