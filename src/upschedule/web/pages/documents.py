"""Builds the cards that show a visitor's documents. Pure functions."""

import collections
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from upschedule.processing.job import JobStatus, Status
from upschedule.timetable.event import Event, Exam, Extraction, Lecture
from upschedule.web.pages.evidence import rows_read
from upschedule.web.pages.warnings import PlacedWarning, placed_warning

_MEGABYTE = 1_000_000


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences for a document that is in progress. The scripts use the same sentences."""

    uploading: str = "Uploading: {percent} %"
    again: str = "The connection broke. It is sent again by itself in {seconds} s."
    waiting: str = "Waiting to be read"
    position: str = "Waiting: number {position} in the queue"
    opening: str = "Opening the document"
    reading: str = "Reading page {page} of {pages}"


STAGES = Stages()


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A document. `progress` is between 0 and 1, or None if it is not known; `can_retry`: another reading may succeed.

    `rows` says how many rows of the table were read; it is empty until then.
    """

    id: UUID
    name: str
    size: str
    status: str
    pending: bool
    state: str
    progress: float | None
    rows: str
    can_retry: bool
    warnings: tuple[PlacedWarning, ...]


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """The documents of a visitor, newest first."""

    cards: tuple[Card, ...] = ()
    stages: Stages = STAGES

    @property
    def pending(self) -> bool:
        return any(card.pending for card in self.cards)


def documents(jobs: Iterable[JobStatus], read: Mapping[UUID, Extraction]) -> Documents:
    """`read` contains the result of each job that has one, by the job's id."""
    return Documents(cards=tuple(_card(job, read.get(job.id)) for job in jobs))


def counted(events: Sequence[Event]) -> str:
    """The numbers of entries in words, such as `30 weekly classes, 1 exam`."""
    counts = collections.Counter(map(_noun, events))
    return ", ".join(f"{count} {noun if count == 1 else _plural(noun)}" for noun, count in counts.items())


def _card(job: JobStatus, extraction: Extraction | None) -> Card:
    return Card(
        id=job.id,
        name=job.file_name,
        size=_size(job.size_bytes),
        status=job.status.value,
        pending=not job.is_final,
        state=_summary(extraction.events) if extraction else _state(job),
        progress=job.pages_read / job.pages if job.pages else None,
        rows=rows_read(extraction) if extraction else "",
        can_retry=job.error is not None and not job.error.in_file,
        warnings=tuple(map(placed_warning, extraction.warnings)) if extraction else (),
    )


def _state(job: JobStatus) -> str:
    if job.error:
        return job.error.detail
    if job.status is Status.QUEUED:
        return STAGES.position.format(position=job.position) if job.position else STAGES.waiting
    if job.pages:
        return STAGES.reading.format(page=min(job.pages_read + 1, job.pages), pages=job.pages)
    return STAGES.opening


def _summary(events: Sequence[Event]) -> str:
    return f"Read: {counted(events)}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / _MEGABYTE:.1f} MB" if size_bytes >= _MEGABYTE else f"{max(1, round(size_bytes / 1000))} kB"


def _noun(event: Event) -> str:
    if isinstance(event, Lecture):
        return "weekly class"
    return "exam" if isinstance(event, Exam) else "test"


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"
