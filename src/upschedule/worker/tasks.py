"""Registers the task that a message of the queue starts."""

from uuid import UUID

from taskiq import AsyncBroker

from upschedule.processing.doorbell import TASK_NAME
from upschedule.processing.runner import Runner


def register(broker: AsyncBroker, runner: Runner) -> None:
    """A message without a valid job id fails in the task and is dropped; PostgreSQL has all jobs.

    The runner claims the job whose turn it is, which need not be the one that the message names.
    """

    async def process_job(job_id: str) -> None:
        UUID(job_id)
        await runner.run()

    broker.register_task(process_job, task_name=TASK_NAME)
