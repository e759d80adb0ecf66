"""Starts the worker process: it reads documents that the queue announces, until it receives the order to stop."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import structlog
from taskiq import AsyncBroker
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

from upschedule.golden import Golden
from upschedule.pdf.sandbox import Sandbox
from upschedule.processing.pictures import PictureDesk, beside
from upschedule.processing.runner import Runner
from upschedule.runtime.endpoint import Probes, serving
from upschedule.runtime.periodic import every
from upschedule.runtime.rollout_gate import RolloutGate, state_file
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
        gate = RolloutGate(state_file(settings.rollout))
        register(services.broker, _hearing(services, runner, gate))
        port = owned.enter_context(
            serving(settings.worker.host, settings.worker.port, _probes(services, sandbox, self_check))
        )
        _log.info("worker_started", port=port, concurrency=settings.worker.concurrency)
        async with _release_renewed(services, settings):
            if await _before(stop, self_check.run()):
                await _read_documents(services, runner, services.picture_desk(sandbox), gate, stop)
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


def _hearing(services: Services, runner: Runner, gate: RolloutGate) -> Callable[[UUID], Awaitable[None]]:
    """The handler of a wake-up message."""
    canary = services.canary(runner, lambda: gate.state().share)

    async def hear(job_id: UUID) -> None:
        if gate.state().live:
            await runner.run()
        else:
            await canary.hear(job_id)

    return hear


async def _read_documents(
    services: Services, runner: Runner, desk: PictureDesk, gate: RolloutGate, stop: asyncio.Event
) -> None:
    """Fetches messages until `stop`, as a canary those of its share. Jobs not finished in time return to the queue.

    A canary draws no pictures of rows.
    """
    broker, settings = services.broker, services.settings
    stopping = asyncio.create_task(_stop_claiming(runner, stop))
    try:
        await _read_share(broker, settings, gate, stop)
        if not stop.is_set():
            await beside(desk, _listen(broker, settings, concurrency=settings.worker.concurrency, finish=stop))
    finally:
        stopping.cancel()
        await runner.give_back()
        await asyncio.gather(stopping, return_exceptions=True)


async def _read_share(broker: AsyncBroker, settings: Settings, gate: RolloutGate, stop: asyncio.Event) -> None:
    """Returns once the release is promoted, or `stop` is set. Without a share it fetches nothing."""
    state = gate.state()
    if not state.live:
        _log.info("waiting_for_promotion", reason="a canary reads no more than the share that its release is given")
    while not (state.live or stop.is_set()):
        if state.share:
            _log.info("canary_share_begins", share=state.share)
            finish = asyncio.Event()
            ending = asyncio.create_task(_set_after_share(finish, gate, stop))
            try:
                await _listen(broker, settings, concurrency=1, finish=finish)
            finally:
                ending.cancel()
                await asyncio.gather(ending, return_exceptions=True)
            _log.info("canary_share_ends")
        await _before(stop, gate.until(lambda state: state.live or state.share > 0))
        state = gate.state()


async def _set_after_share(finish: asyncio.Event, gate: RolloutGate, stop: asyncio.Event) -> None:
    await _before(stop, gate.until(lambda state: state.live or not state.share))
    finish.set()


async def _before(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Whether `work` returned before `stop` was set, which cancels it. Raises what `work` raises."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return not stop.is_set()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _listen(broker: AsyncBroker, settings: Settings, *, concurrency: int, finish: asyncio.Event) -> None:
    """Fetches messages until `finish`, and waits a bounded time for the jobs under way."""
    with ThreadPoolExecutor(max_workers=1) as unused:  # taskiq runs blocking tasks there; there are none.
        receiver = Receiver(
            broker=broker,
            executor=unused,
            run_startup=False,
            max_async_tasks=concurrency,
            # Messages may be lost, and an unacknowledged one would wait for this worker while others are idle.
            ack_type=AcknowledgeType.WHEN_RECEIVED,
            wait_tasks_timeout=settings.worker.drain_seconds,
        )
        await receiver.listen(finish)


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
