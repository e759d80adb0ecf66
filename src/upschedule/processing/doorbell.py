"""Announces a due job to the workers by a message that holds only its id: losing it loses nothing."""

import asyncio
from uuid import UUID

import structlog
from taskiq import AsyncBroker
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker

_log = structlog.get_logger(__name__)

#: Fixed, because releases share the queue; taskiq's default is the path of the module.
TASK_NAME = "jobs.process"


class Doorbell:
    """Sends wake-up messages. The sweeper sends another one for a job that no worker has claimed."""

    def __init__(self, broker: AsyncBroker, *, ring_seconds: float = 1.0) -> None:
        self._broker = broker
        self._ring_seconds = ring_seconds

    async def ring(self, job_id: UUID) -> bool:
        """False if Redis did not accept the message in time; the job is then claimed later."""
        kicker: AsyncKicker[..., None] = AsyncKicker(task_name=TASK_NAME, broker=self._broker, labels={})
        try:
            async with asyncio.timeout(self._ring_seconds):
                await kicker.kiq(str(job_id))
        except (SendTaskError, TimeoutError) as error:
            _log.warning("doorbell_not_heard", job_id=str(job_id), reason=type(error.__cause__ or error).__name__)
            return False
        return True
