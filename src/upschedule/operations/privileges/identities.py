"""Identities of the stores: processes and PostgreSQL roles."""

from typing import Literal

#: Processes of the application. Each has its own role, Redis users and S3 key.
Process = Literal["api", "worker", "scheduler"]
PROCESSES: tuple[Process, ...] = ("api", "worker", "scheduler")
#: Jobs that back up and restore files of documents. Each has its own S3 key.
Backup = Literal["object-copies", "restore"]
BACKUPS: tuple[Backup, ...] = ("object-copies", "restore")

OWNER_ROLE = "upschedule_owner"
#: The role of older releases, whose processes share one; it stays while one of those may run.
SHARED_ROLE = "upschedule_app"
BACKUP_ROLE = "upschedule_backup"


def role_of(process: Process) -> str:
    """The PostgreSQL role of a process."""
    return f"upschedule_{process}"
