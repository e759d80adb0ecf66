"""Copies files all the time, as a process of the cluster with an endpoint for Consul and Prometheus."""

import asyncio

import structlog

from upschedule.backoff import jittered
from upschedule.metrics import OBJECT_COPIES, OBJECT_COPIES_TIME
from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.operations.cluster_backup.objects.backup import Copied, ObjectBackup
from upschedule.operations.migration.migrate import Timing
from upschedule.runtime.endpoint import Probes, serving
from upschedule.runtime.stopping import end_on_signal
from upschedule.stores.readiness import DependencyStatus

_log = structlog.get_logger(__name__)
#: Of the time between two passes, so that several processes do not ask at the same moment.
_JITTER = 0.2


def follow(objects: ObjectBackup, *, every_seconds: float, host: str, port: int) -> None:
    """Runs until a signal ends the process, at any moment: the next one does what is left.

    Raises OSError if the port is in use.
    """
    end_on_signal()
    asyncio.run(_follow(objects, every_seconds, host, port))


async def _follow(objects: ObjectBackup, every_seconds: float, host: str, port: int) -> None:
    async def readiness() -> list[DependencyStatus]:
        """Needs nothing but itself: while a store is away, its figures must not be."""
        return []

    async def measure() -> None:
        """The figures are shown after each pass."""

    # A first pass that never ends is as late as one that fails.
    OBJECT_COPIES_TIME.labels("complete").set(objects.now().timestamp())
    with serving(host, port, Probes(readiness=readiness, measure=measure)):
        await asyncio.to_thread(repeat, objects, Timing(), every_seconds)


def repeat(objects: ObjectBackup, timing: Timing, every_seconds: float) -> None:
    """Passes for ever. One that fails changes no figure, and the next one is tried after the same time."""
    while True:
        try:
            show(objects.copy(), objects.now().timestamp())
        except StepFailed as error:
            _log.warning("objects_not_copied", reason=str(error))
        timing.pause(jittered(every_seconds, _JITTER, timing.roll()))


def show(copied: Copied, unix_time: float) -> None:
    """Replaces the figures of the pass before."""
    OBJECT_COPIES.labels("needed").set(copied.needed)
    OBJECT_COPIES.labels("lost").set(copied.lost)
    OBJECT_COPIES_TIME.labels("complete").set(unix_time)
    if copied.copied or copied.removed or copied.lost:
        _log.info("objects_copied", copied=copied.copied, removed=copied.removed, lost=copied.lost)
