"""Runs the supervisor as a process of the cluster, with the endpoint that Consul's checks read."""

import asyncio
import time

from upschedule.deploy.supervision.model import OPEN, Watch, WatchVerdict
from upschedule.deploy.supervision.supervisor import Supervisor
from upschedule.metrics import RELEASE_VERDICT_TIME, RELEASES_TO_REVERT_TO
from upschedule.runtime.endpoint import Probes, serving
from upschedule.runtime.stopping import end_on_signal
from upschedule.stores.readiness import DependencyStatus

#: Above a round with a server that answers slowly.
_FRESH_SECONDS = 60.0


def supervise(supervisor: Supervisor, *, host: str, port: int) -> None:
    """Runs until the process is ended. It may be killed at any moment: what it knows is in Nomad and Prometheus."""
    end_on_signal()
    asyncio.run(_supervise(supervisor, host, port))


async def _supervise(supervisor: Supervisor, host: str, port: int) -> None:
    answered: list[float] = []

    def note(watch: Watch | None) -> None:
        answered[:] = [time.monotonic()]
        show_verdict(watch)

    async def readiness() -> list[DependencyStatus]:
        """A new release of the supervisor that gets no answers never becomes healthy, and Nomad ends it."""
        age = time.monotonic() - answered[0] if answered else float("inf")
        return [DependencyStatus(name="round", ok=age < _FRESH_SECONDS, seconds=0.0)]

    async def measure() -> None:
        """The verdict is shown after each round."""

    supervisor.answered = note
    supervisor.counted = show_records
    with serving(host, port, Probes(readiness=readiness, measure=measure)):
        await asyncio.to_thread(supervisor.run)


def show_verdict(watch: Watch | None) -> None:
    """Sets the metric of the last verdict. It shows none while a release is watched, and where none was."""
    RELEASE_VERDICT_TIME.clear()
    if watch and watch.verdict not in OPEN | {WatchVerdict.NOT_WATCHED}:
        RELEASE_VERDICT_TIME.labels(watch.verdict.value).set(watch.ended)


def show_records(count: int | None) -> None:
    """Sets the metric of the releases that can be started again. It shows none while the first release runs."""
    RELEASES_TO_REVERT_TO.clear()
    if count is not None:
        RELEASES_TO_REVERT_TO.labels("recorded").set(count)
