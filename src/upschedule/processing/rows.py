"""Rows become structs at the door; an unknown state or a missing column is refused here."""

import msgspec
from psycopg.rows import DictRow

from upschedule.processing.job import Job


def job_of(row: DictRow) -> Job:
    return msgspec.convert(row, Job)


def found(row: DictRow | None) -> Job | None:
    return None if row is None else job_of(row)
