"""Starts the scheduler process: the leader sweeps and cleans up; all measure queue and backups and answer operators."""

import asyncio

import structlog

from upschedule.processing.retention import ORPHAN_SECONDS
from upschedule.runtime.endpoint import Probes, serving
from upschedule.runtime.leadership import Leadership
from upschedule.runtime.periodic import every
from upschedule.runtime.rollout_gate import state_file, wait_until_promoted
from upschedule.scheduler.backup_metrics import BackupMetrics
from upschedule.scheduler.operator_pages import PREFIX, OperatorPages
from upschedule.services import Services
from upschedule.settings import Settings

_log = structlog.get_logger(__name__)


async def schedule(services: Services, settings: Settings, *, stop: asyncio.Event) -> None:
    """Returns once `stop` is set. An interrupted round is rolled back or completed by the next. Raises OSError."""
    pages = {PREFIX: OperatorPages(services, settings.scheduler)}
    with serving(settings.scheduler.host, settings.scheduler.port, _probes(services), pages) as port:
        _log.info("scheduler_started", port=port)
        async with asyncio.TaskGroup() as owned:
            leading = owned.create_task(_lead(services, settings))
            await stop.wait()
            leading.cancel()
    _log.info("scheduler_stopped")


async def _lead(services: Services, settings: Settings) -> None:
    async def rounds() -> None:
        await _rounds(services, settings)

    await wait_until_promoted(state_file(settings.rollout))
    leadership = Leadership(services.database, settings.scheduler, again_seconds=settings.jobs.sweep_seconds)
    await leadership.run_while_leading(rounds)


async def _rounds(services: Services, settings: Settings) -> None:
    sweeper, retention, accounts = services.sweeper(), services.retention(), services.account_retention()
    provisional = services.provisional_readings()
    async with asyncio.TaskGroup() as rounds:
        rounds.create_task(every(settings.jobs.sweep_seconds, sweeper.sweep, name="sweep"))
        rounds.create_task(every(settings.rollout.renew_seconds, provisional.settle, name="provisional"))
        rounds.create_task(every(settings.jobs.retention_seconds, retention.remove_old, name="retention"))
        rounds.create_task(every(settings.jobs.retention_seconds, accounts.remove_old, name="accounts"))
        rounds.create_task(every(settings.jobs.retention_seconds, services.feeds.publish_outdated, name="calendars"))
        rounds.create_task(every(ORPHAN_SECONDS, retention.remove_orphans, name="orphans"))


def _probes(services: Services) -> Probes:
    queue, backups = services.queue_metrics(), BackupMetrics(services.database)

    async def measure() -> None:
        services.measure()
        await asyncio.gather(queue.measure(), backups.measure())

    return Probes(readiness=services.readiness, measure=measure)
