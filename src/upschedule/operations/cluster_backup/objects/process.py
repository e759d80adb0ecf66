"""Copies files all the time, as a process of the cluster with an endpoint for Consul and Prometheus.

It has the repository's key, so it also exports when the sets of saved state were saved, and whether the archive has a
gap.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from upschedule.backoff import jittered
from upschedule.metrics import ARCHIVE_GAP_TIME, OBJECT_COPIES, OBJECT_COPIES_TIME, SAVED_STATE_TIME
from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.operations.cluster_backup.gaps import ArchiveGaps
from upschedule.operations.cluster_backup.objects.backup import Copied, ObjectBackup
from upschedule.operations.cluster_backup.state import EXPECTED_SETS, States, StateSet
from upschedule.operations.migration.migrate import Timing
from upschedule.runtime.endpoint import Probes, serving
from upschedule.runtime.stopping import end_on_signal
from upschedule.stores.readiness import DependencyStatus

_log = structlog.get_logger(__name__)
#: Of the time between two passes, so that several processes do not ask at the same moment.
_JITTER = 0.2


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What each pass looks at. A part that fails does not keep the others from their turn."""

    objects: ObjectBackup
    states: States
    gaps: ArchiveGaps


def follow(parts: Parts, *, every_seconds: float, host: str, port: int) -> None:
    """Runs until a signal ends the process, at any moment: the next one does what is left.

    Raises OSError if the port is in use.
    """
    end_on_signal()
    asyncio.run(_follow(parts, every_seconds, host, port))


async def _follow(parts: Parts, every_seconds: float, host: str, port: int) -> None:
    async def readiness() -> list[DependencyStatus]:
        """Needs nothing but itself: while a store is away, its figures must not be."""
        return []

    async def measure() -> None:
        """The figures are shown after each pass."""

    # A first pass that never ends is as late as one that fails.
    OBJECT_COPIES_TIME.labels("complete").set(parts.objects.now().timestamp())
    with serving(host, port, Probes(readiness=readiness, measure=measure)):
        await asyncio.to_thread(repeat, parts, Timing(), every_seconds)


def repeat(parts: Parts, timing: Timing, every_seconds: float) -> None:
    """Passes for ever. A part that fails changes no figure, and is tried again after the same time."""
    while True:
        try:
            show(parts.objects.copy(), parts.objects.now().timestamp())
        except StepFailed as error:
            _log.warning("objects_not_copied", reason=str(error))
        try:
            show_states(parts.states.list())
        except StepFailed as error:
            _log.warning("saved_state_not_measured", reason=str(error))
        try:
            show_gap(parts.gaps.newest())
        except StepFailed as error:
            _log.warning("archive_gaps_not_measured", reason=str(error))
        timing.pause(jittered(every_seconds, _JITTER, timing.roll()))


def show(copied: Copied, unix_time: float) -> None:
    """Replaces the figures of the pass before."""
    OBJECT_COPIES.labels("needed").set(copied.needed)
    OBJECT_COPIES.labels("lost").set(copied.lost)
    OBJECT_COPIES_TIME.labels("complete").set(unix_time)
    if copied.copied or copied.removed or copied.lost:
        _log.info("objects_copied", copied=copied.copied, removed=copied.removed, lost=copied.lost)


def show_states(known: Iterable[StateSet]) -> None:
    """Shows the newest of each expected set, and nothing for a set that was never saved."""
    SAVED_STATE_TIME.clear()
    for name, made_at in sorted((each.name, each.made_at) for each in known):
        if name in EXPECTED_SETS:
            SAVED_STATE_TIME.labels(set=name).set(made_at.timestamp())


def show_gap(stored_at: datetime | None) -> None:
    """Shows nothing if there is no gap."""
    if stored_at:
        ARCHIVE_GAP_TIME.labels("newest").set(stored_at.timestamp())
