"""What a message can ask for. Nothing is decided here."""

from uuid import UUID

from taskiq import AsyncBroker

from upschedule.processing.doorbell import TASK_NAME
from upschedule.processing.runner import Runner


def register(broker: AsyncBroker, runner: Runner) -> None:
    """A message that names no job fails in the task and is forgotten; PostgreSQL knows of all that matter.

    Whichever job a message names, the runner takes the one whose turn it is.
    """

    async def process_job(job_id: str) -> None:
        UUID(job_id)
        await runner.run()

    broker.register_task(process_job, task_name=TASK_NAME)
