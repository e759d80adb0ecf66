"""Runs the synthetic student as a process of the cluster, with an endpoint for Consul and Prometheus."""

import asyncio

import structlog

from upschedule.deploy.clock import Clock
from upschedule.deploy.synthetic.figures import show, show_start
from upschedule.deploy.synthetic.student import SyntheticStudent, log_run, pause_seconds
from upschedule.runtime.endpoint import Probes, serving
from upschedule.runtime.stopping import end_on_signal
from upschedule.stores.readiness import DependencyStatus

_log = structlog.stdlib.get_logger(__name__)


def follow(student: SyntheticStudent, *, every_seconds: float, host: str, port: int) -> None:
    """Runs until the process is ended, which a signal does at once: the next process removes what the last run left.

    Raises OSError if the port is in use.
    """
    end_on_signal()
    asyncio.run(_follow(student, every_seconds, host, port))


async def _follow(student: SyntheticStudent, every_seconds: float, host: str, port: int) -> None:
    async def readiness() -> list[DependencyStatus]:
        """Depends on no other server, so that there are measurements while the service does not answer."""
        return []

    async def measure() -> None:
        """The figures are shown after each run."""

    show_start(student.clock.utc_now().timestamp())
    with serving(host, port, Probes(readiness=readiness, measure=measure)):
        await asyncio.to_thread(repeat, student, student.clock, every_seconds)


def repeat(student: SyntheticStudent, clock: Clock, every_seconds: float) -> None:
    """Runs for ever, `every_seconds` from beginning to beginning. A defect in one run does not end the later ones."""
    while True:
        began = clock.now()
        try:
            run = student.run()
        except Exception:  # noqa: BLE001 - no run that ended is what the alert on missing runs sees
            _log.exception("synthetic_run_broken")
        else:
            show(run)
            log_run(run.findings)
        clock.sleep(pause_seconds(clock, every_seconds=every_seconds, began=began))
