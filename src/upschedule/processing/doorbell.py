"""A message is a doorbell: it carries a job's id and nothing that would be lost with it."""

import asyncio
from uuid import UUID

import structlog
from taskiq import AsyncBroker
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker

_log = structlog.get_logger(__name__)

#: Fixed, for releases share the queue; taskiq's default is the module's path.
TASK_NAME = "jobs.process"


class Doorbell:
    """Announces jobs to the workers. An unheard ring is repeated by the sweeper."""

    def __init__(self, broker: AsyncBroker, *, ring_seconds: float = 1.0) -> None:
        self._broker = broker
        self._ring_seconds = ring_seconds

    async def ring(self, job_id: UUID) -> bool:
        """False where Redis did not take it in time; that changes nothing but the moment of the claim."""
        kicker: AsyncKicker[..., None] = AsyncKicker(task_name=TASK_NAME, broker=self._broker, labels={})
        try:
            async with asyncio.timeout(self._ring_seconds):
                await kicker.kiq(str(job_id))
        except (SendTaskError, TimeoutError) as error:
            _log.warning("doorbell_not_heard", job_id=str(job_id), reason=type(error.__cause__ or error).__name__)
            return False
        return True
