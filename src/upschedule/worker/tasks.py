"""Registers the task that a message of the queue starts."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from taskiq import AsyncBroker

from upschedule.processing.doorbell import TASK_NAME


def register(broker: AsyncBroker, hear: Callable[[UUID], Awaitable[None]]) -> None:
    """`hear` is called with the job's id. A message without a valid one fails in the task and is dropped.

    PostgreSQL has all jobs: the one that is claimed then need not be the one that the message names.
    """

    async def process_job(job_id: str) -> None:
        await hear(UUID(job_id))

    broker.register_task(process_job, task_name=TASK_NAME)
