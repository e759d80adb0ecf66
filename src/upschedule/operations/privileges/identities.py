"""Who comes to the stores."""

from typing import Literal

#: Processes of the application. Each has a role, Redis users and an S3 key of its own.
Process = Literal["api", "worker", "scheduler"]
PROCESSES: tuple[Process, ...] = ("api", "worker", "scheduler")

OWNER_ROLE = "upschedule_owner"
#: Of releases before the processes had roles of their own; kept while one of those may run.
SHARED_ROLE = "upschedule_app"
BACKUP_ROLE = "upschedule_backup"


def role_of(process: Process) -> str:
    """In PostgreSQL."""
    return f"upschedule_{process}"
