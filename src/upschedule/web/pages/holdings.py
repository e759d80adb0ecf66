"""A visitor's documents, the entries that were read from them, and the calendar that joins them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from uuid import UUID

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.model import Document
from upschedule.calendars.previews import YearAdvice
from upschedule.calendars.service import CalendarService, OwnedCalendar
from upschedule.processing.errors import JobNotFound, NotCompleted
from upschedule.processing.job import JobStatus, Status
from upschedule.processing.service import JobService
from upschedule.timetable.event import Event, Extraction
from upschedule.timetable.merge import identity, merge
from upschedule.web.pages.warnings import EntryWarnings, entry_warnings, joined_warnings

#: More documents than a person has; the API gives a list in pages.
_DOCUMENTS_MAX = 50


class Holdings:
    """`jobs` are newest first; `read` holds the result of each one that has a result; `calendar` is the newest.

    `draft` is what a calendar of the documents would be while there is none. `advice` is about the one or the other.
    """

    def __init__(
        self,
        jobs: Sequence[JobStatus],
        read: Mapping[UUID, Extraction],
        calendar: OwnedCalendar | None,
        *,
        draft: CalendarAssembly | None = None,
        advice: YearAdvice | None = None,
    ) -> None:
        self.jobs = jobs
        self.read = read
        self.calendar = calendar
        self.draft = draft
        self.advice = advice

    @property
    def assembly(self) -> CalendarAssembly | None:
        """The calendar's, or the draft."""
        return self.calendar.assembly if self.calendar else self.draft

    @property
    def current(self) -> bool:
        """Whether the calendar joins all that was read."""
        return self.calendar is not None and {d.job_id for d in self.calendar.assembly.documents} == set(self.read)

    @cached_property
    def named(self) -> Sequence[tuple[str, Event]]:
        """Every entry with its id in the calendar, or a passing one before there is a calendar."""
        if self.calendar and self.current:
            return self.calendar.assembly.named
        oldest_first = [self.read[job.id].events for job in reversed(self.jobs) if job.id in self.read]
        return [(f"entry-{number}", event) for number, event in enumerate(merge(oldest_first), 1)]

    @cached_property
    def warnings(self) -> EntryWarnings:
        """The warnings of all documents, by entry."""
        ids = {identity(event): entry_id for entry_id, event in self.named}
        return joined_warnings(
            entry_warnings(
                [(ids[identity(event)], event) for event in self.read[job.id].events],
                self.read[job.id].warnings,
                document=job.file_name,
            )
            for job in self.jobs
            if job.id in self.read
        )


async def holdings_of(account_id: UUID, jobs: JobService, calendars: CalendarService) -> Holdings:
    """Raises StoreError. A job that is deleted meanwhile is left out."""
    recent = (await jobs.recent(account_id, cursor=None, limit=_DOCUMENTS_MAX)).jobs
    read: dict[UUID, Extraction] = {}
    for job in recent:
        # A job that waits or is read has a result if it is read again.
        if job.status is not Status.FAILED:
            try:
                read[job.id] = await jobs.timetable(account_id, job.id)
            except (JobNotFound, NotCompleted):
                continue
    newest = await calendars.newest(account_id)
    draft = None if newest or not read else await calendars.draft(account_id, _documents(recent, read))
    assembly = newest.assembly if newest else draft
    advice = await calendars.advise(assembly) if assembly else None
    return Holdings(recent, read, newest, draft=draft, advice=advice)


def _documents(jobs: Sequence[JobStatus], read: Mapping[UUID, Extraction]) -> tuple[Document, ...]:
    return tuple(
        Document(job_id=job.id, events=read[job.id].events, warnings=read[job.id].warnings)
        for job in reversed(jobs)
        if job.id in read
    )
