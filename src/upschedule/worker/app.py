"""The worker process: listens to the queue, reads documents, sweeps and cleans up, until it is told to stop."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import structlog
from taskiq import AsyncBroker
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

from upschedule.pdf.sandbox import Sandbox
from upschedule.processing.runner import Runner
from upschedule.services import Services
from upschedule.stores.readiness import DependencyStatus, check
from upschedule.worker.endpoint import Probes, serving
from upschedule.worker.periodic import every
from upschedule.worker.tasks import register

_log = structlog.get_logger(__name__)


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`concurrency` documents at once; `drain_seconds` for those under way when the process is told to stop."""

    host: str
    port: int
    concurrency: int
    drain_seconds: float
    sweep_seconds: float
    retention_seconds: float


async def work(services: Services, sandbox: Sandbox, options: WorkerOptions, *, stop: asyncio.Event) -> None:
    """Returns once `stop` is set and every job is finished or given back. Raises SandboxFailed, or OSError."""
    async with AsyncExitStack() as owned:
        await owned.enter_async_context(sandbox)
        if sandbox.refused:
            _log.warning("sandbox_protections_missing", refused=sorted(sandbox.refused))
        runner = services.runner(sandbox)
        register(services.broker, runner)
        await owned.enter_async_context(_rounds(services, options))
        port = owned.enter_context(serving(options.host, options.port, _probes(services, sandbox)))
        _log.info("worker_started", port=port, concurrency=options.concurrency)
        await _listen(services.broker, runner, options, stop)
        _log.info("worker_stopped")


async def _listen(broker: AsyncBroker, runner: Runner, options: WorkerOptions, stop: asyncio.Event) -> None:
    """After `stop` nothing more is fetched; what still runs when the time is up goes back to the queue."""
    with ThreadPoolExecutor(max_workers=1) as unused:  # taskiq runs blocking tasks there; there are none.
        receiver = Receiver(
            broker=broker,
            executor=unused,
            run_startup=False,
            max_async_tasks=options.concurrency,
            # A message is a doorbell and may be lost; a job must not wait behind a busy worker for it to be confirmed.
            ack_type=AcknowledgeType.WHEN_RECEIVED,
            wait_tasks_timeout=options.drain_seconds,
        )
        try:
            await receiver.listen(stop)
        finally:
            await runner.give_back()


@asynccontextmanager
async def _rounds(services: Services, options: WorkerOptions) -> AsyncGenerator[None]:
    sweeper, retention = services.sweeper(), services.retention()
    rounds = [
        asyncio.create_task(every(options.sweep_seconds, sweeper.sweep, name="sweep")),
        asyncio.create_task(every(options.retention_seconds, retention.remove_old, name="retention")),
        asyncio.create_task(every(options.retention_seconds, services.feeds.forget_removed, name="calendars")),
    ]
    try:
        yield
    finally:
        for task in rounds:
            task.cancel()
        await asyncio.gather(*rounds, return_exceptions=True)


def _probes(services: Services, sandbox: Sandbox) -> Probes:
    async def readiness() -> list[DependencyStatus]:
        stores, reading = await asyncio.gather(services.readiness(), check({"sandbox": sandbox.check}))
        return [*stores, *reading]

    return Probes(readiness=readiness, measure=services.measure)
