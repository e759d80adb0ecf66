"""Starts the worker process: it reads documents that the queue announces, until it receives the order to stop."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from taskiq import AsyncBroker
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

from upschedule.golden import Golden
from upschedule.pdf.sandbox import Sandbox
from upschedule.processing.runner import Runner
from upschedule.runtime.endpoint import Probes, serving
from upschedule.runtime.periodic import every
from upschedule.runtime.rollout_gate import state_file, wait_until_promoted
from upschedule.services import Services
from upschedule.settings import Settings
from upschedule.stores.readiness import DependencyStatus, ping_all
from upschedule.worker.self_check import SelfCheck
from upschedule.worker.tasks import register

_log = structlog.get_logger(__name__)


async def work(
    services: Services, sandbox: Sandbox, settings: Settings, *, golden: Sequence[Golden], stop: asyncio.Event
) -> None:
    """Returns once `stop` is set and every job is finished or given back.

    Raises SandboxFailed, OSError, and GoldenMisread before the first job.
    """
    async with AsyncExitStack() as owned:
        await owned.enter_async_context(sandbox)
        if sandbox.refused:
            _log.warning("sandbox_protections_missing", refused=sorted(sandbox.refused))
        self_check = SelfCheck(sandbox, golden)
        runner = services.runner(sandbox)
        register(services.broker, runner)
        port = owned.enter_context(
            serving(settings.worker.host, settings.worker.port, _probes(services, sandbox, self_check))
        )
        _log.info("worker_started", port=port, concurrency=settings.worker.concurrency)
        async with _release_renewed(services, settings):
            if await _may_listen(self_check, settings, stop):
                await _listen(services.broker, runner, settings, stop)
        _log.info("worker_stopped")


@asynccontextmanager
async def _release_renewed(services: Services, settings: Settings) -> AsyncGenerator[None]:
    """Notes again and again that a worker of this release runs."""
    renew = services.worker_release().renew
    renewing = asyncio.create_task(every(settings.rollout.renew_seconds, renew, name="release"))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _may_listen(self_check: SelfCheck, settings: Settings, stop: asyncio.Event) -> bool:
    """Waits until the worker may claim jobs. False if `stop` was set first."""

    async def allowed() -> None:
        await self_check.run()
        await wait_until_promoted(state_file(settings.rollout))

    checking, stopping = asyncio.create_task(allowed()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({checking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if checking.done():
            checking.result()
        return not stop.is_set()
    finally:
        checking.cancel()
        stopping.cancel()
        await asyncio.gather(checking, stopping, return_exceptions=True)


async def _listen(broker: AsyncBroker, runner: Runner, settings: Settings, stop: asyncio.Event) -> None:
    """Fetches messages until `stop`. Jobs that are not finished in time go back to the queue."""
    with ThreadPoolExecutor(max_workers=1) as unused:  # taskiq runs blocking tasks there; there are none.
        receiver = Receiver(
            broker=broker,
            executor=unused,
            run_startup=False,
            max_async_tasks=settings.worker.concurrency,
            # Messages may be lost, and an unacknowledged one would wait for this worker while others are idle.
            ack_type=AcknowledgeType.WHEN_RECEIVED,
            wait_tasks_timeout=settings.worker.drain_seconds,
        )
        stopping = asyncio.create_task(_stop_claiming(runner, stop))
        try:
            await receiver.listen(stop)
        finally:
            stopping.cancel()
            await runner.give_back()
            await asyncio.gather(stopping, return_exceptions=True)


async def _stop_claiming(runner: Runner, stop: asyncio.Event) -> None:
    await stop.wait()
    runner.stop()


def _probes(services: Services, sandbox: Sandbox, self_check: SelfCheck) -> Probes:
    async def readiness() -> list[DependencyStatus]:
        own = {"sandbox": sandbox.ping, "golden": self_check.ping}
        stores, reading = await asyncio.gather(services.readiness(), ping_all(own))
        return [*stores, *reading]

    async def measure() -> None:
        services.measure()

    return Probes(readiness=readiness, measure=measure)
