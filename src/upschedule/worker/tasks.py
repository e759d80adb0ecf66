"""What a message can ask for. Nothing is decided here."""

from uuid import UUID

from taskiq import AsyncBroker

from upschedule.processing.doorbell import TASK_NAME
from upschedule.processing.runner import Runner


def register(broker: AsyncBroker, runner: Runner) -> None:
    """A message that names no job fails in the task and is forgotten; PostgreSQL knows of all that matter."""

    async def process_job(job_id: str) -> None:
        await runner.run(UUID(job_id))

    broker.register_task(process_job, task_name=TASK_NAME)
