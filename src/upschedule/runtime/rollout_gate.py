"""Whether a process may take live work: not while it is the canary of a release that nobody has promoted yet."""

import asyncio
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

_LIVE = "live"
_LOOK_SECONDS = 1.0


async def until_live(file: Path | None) -> None:
    """At once without a file; else once it says `live`. One that is empty or cannot be read does not say so."""
    if file is None or _says_live(file):
        return
    _log.info("standing_by", reason="a canary takes no live work; waiting until the standing file says live")
    while not _says_live(file):  # noqa: ASYNC110 - Nomad writes a file, it sets no event
        await asyncio.sleep(_LOOK_SECONDS)
    _log.info("standing_live")


def _says_live(file: Path) -> bool:
    try:
        return file.read_text(encoding="utf-8").strip() == _LIVE
    except (OSError, UnicodeDecodeError):
        return False
