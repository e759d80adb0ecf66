"""A visitor's documents, the entries that were read from them, and the calendar that joins them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property
from uuid import UUID

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.model import Document, Replaced
from upschedule.calendars.previews import YearAdvice
from upschedule.calendars.replacing import Plan, plan, without_replaced
from upschedule.calendars.service import CalendarService, OwnedCalendar
from upschedule.calendars.shares import Share, ShareService
from upschedule.processing.job import JobStatus
from upschedule.processing.service import JobService
from upschedule.timetable.event import Event, Extraction
from upschedule.timetable.merge import identity, merge
from upschedule.web.pages.evidence import rows_of_modules
from upschedule.web.pages.warnings import EntryWarnings, entry_warnings, joined_warnings

#: More documents than a person has; the API gives a list in pages.
_DOCUMENTS_MAX = 50


class Holdings:
    """A visitor's documents and newest calendar. `jobs` are ordered from the newest.

    `read` contains the result of each job that has one.
    """

    #: What a calendar of the documents would be while there is none.
    draft: CalendarAssembly | None = None
    #: About the calendar or the draft.
    advice: YearAdvice | None = None
    #: The page for others, as far as it was asked for.
    share: Share | None = None
    #: South African time.
    now: dt.datetime | None = None

    def __init__(
        self, jobs: Sequence[JobStatus], read: Mapping[UUID, Extraction], calendar: OwnedCalendar | None
    ) -> None:
        self.jobs = jobs
        self.read = read
        self.calendar = calendar

    @property
    def assembly(self) -> CalendarAssembly | None:
        """The assembly of the calendar, or of its draft."""
        return self.calendar.assembly if self.calendar else self.draft

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """All documents that were read, oldest first."""
        return tuple(
            Document(job_id=job.id, events=self.read[job.id].events, warnings=self.read[job.id].warnings)
            for job in reversed(self.jobs)
            if job.id in self.read
        )

    @property
    def in_calendar(self) -> tuple[UUID, ...]:
        """The documents that the calendar contains now."""
        return tuple(document.job_id for document in self.calendar.assembly.documents) if self.calendar else ()

    @property
    def replaced(self) -> tuple[Replaced, ...]:
        """The documents that newer ones replace, by the owner's decision."""
        return self.calendar.assembly.replaced if self.calendar else ()

    @cached_property
    def plan(self) -> Plan:
        """The documents that the calendar should contain, and those about which the student has to decide."""
        return plan(self.documents, self.in_calendar, self.replaced)

    @property
    def current(self) -> bool:
        """Whether the calendar contains all documents that it should contain."""
        return self.calendar is not None and set(self.in_calendar) == set(self.plan.joined)

    @cached_property
    def joined(self) -> tuple[Document, ...]:
        """All entries that count, without those that a newer document replaces."""
        joined = [document for document in self.documents if document.job_id in self.plan.joined]
        return without_replaced(joined, self.replaced)

    @cached_property
    def rows(self) -> Mapping[str, str]:
        """The number of rows of each module that were read in the documents that count."""
        return rows_of_modules(self.read[document.job_id] for document in self.joined)

    @cached_property
    def named(self) -> Sequence[tuple[str, Event]]:
        """Every entry with its id in the calendar. Without a calendar the ids are temporary."""
        if self.calendar and self.current:
            return self.calendar.assembly.named
        merged = merge(document.events for document in self.joined)
        return [(f"entry-{number}", event) for number, event in enumerate(merged, 1)]

    @cached_property
    def warnings(self) -> EntryWarnings:
        """The warnings of all documents that count, by entry. Those of the newest document come first."""
        printed = self.calendar.assembly.printed.items() if self.calendar and self.current else self.named
        ids = {identity(event): entry_id for entry_id, event in printed}
        names = {job.id: job.file_name for job in self.jobs}
        return joined_warnings(
            entry_warnings(
                [(ids[identity(event)], event) for event in document.events],
                document.warnings,
                document=names[document.job_id],
            )
            for document in reversed(self.joined)
        )


async def holdings_with_share(
    account_id: UUID, jobs: JobService, calendars: CalendarService, shares: ShareService
) -> Holdings:
    """Like `holdings_of`, and also loads the page for others."""
    holdings = await holdings_of(account_id, jobs, calendars)
    if holdings.calendar:
        holdings.share = await shares.of_calendar(account_id, holdings.calendar.assembly.calendar.id)
    return holdings


async def holdings_of(account_id: UUID, jobs: JobService, calendars: CalendarService) -> Holdings:
    """Loads the holdings of a visitor. Raises StoreError."""
    found = await jobs.recent_results(account_id, limit=_DOCUMENTS_MAX)
    holdings = Holdings(found.jobs, found.results, await calendars.newest(account_id))
    holdings.now = calendars.local_time()
    if found.results and not holdings.calendar:
        holdings.draft = await calendars.draft(account_id, holdings.joined)
    if holdings.assembly:
        holdings.advice = await calendars.advise(holdings.assembly)
    return holdings
