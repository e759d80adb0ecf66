"""What the page's forms do. Each leads back to the page, so that reloading repeats nothing."""

from collections.abc import Collection
from uuid import UUID

import msgspec
from litestar import Controller, Response, post
from litestar.response import Redirect
from msgspec import UNSET

from upschedule.accounts.service import Visitor
from upschedule.calendars.colouring import distinct_colours
from upschedule.calendars.errors import InvalidCalendar
from upschedule.calendars.model import Changes, Choices, YearChoice
from upschedule.calendars.replacing import accepted, plan
from upschedule.calendars.service import CalendarService
from upschedule.errors import FieldError
from upschedule.processing.service import JobService
from upschedule.settings import LimitSettings, Settings
from upschedule.timetable.academic_year import YearDates
from upschedule.web.http.errors import InvalidRequest
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.uploads import UploadReceiver
from upschedule.web.pages.dates import year_choice
from upschedule.web.pages.holdings import Holdings, holdings_of
from upschedule.web.pages.home import page_of_refused_dates
from upschedule.web.pages.modules import choices_from_form
from upschedule.web.pages.rendering import error_handlers

_SEE_OTHER = 303
_YEAR_DIGITS = 4


def _back(part: str) -> Redirect:
    return Redirect(f"/#{part}", status_code=_SEE_OTHER)


class DocumentForms(Controller):
    """Adding, retrying and removing documents."""

    path = "/documents"
    include_in_schema = False
    exception_handlers = error_handlers()

    # The reader bounds the body itself, while it arrives.
    @post(request_max_body_size=None)
    async def add(self, request: AnyRequest, visitor: Visitor | None, receiver: UploadReceiver) -> Redirect:
        """One file."""
        await receiver.receive(request, visitor)
        return _back("documents")

    @post("/{job_id:uuid}/retry")
    async def retry(self, request: AnyRequest, job_id: UUID, known: Visitor, receiver: UploadReceiver) -> Redirect:
        """Raises what UploadReceiver.retry raises."""
        await receiver.retry(request, known.account_id, job_id)
        return _back("documents")

    @post("/{job_id:uuid}/remove")
    async def remove(self, job_id: UUID, known: Visitor, job_service: JobService) -> Redirect:
        """With everything that came from it."""
        await job_service.delete(known.account_id, job_id)
        return _back("documents")


class CalendarForms(Controller):
    """Builds the one calendar that joins all documents, sets its dates, and narrows it to what its owner attends."""

    path = "/calendar"
    include_in_schema = False
    exception_handlers = error_handlers()

    @post()
    async def build(
        self, known: Visitor, job_service: JobService, calendars: CalendarService, settings: Settings
    ) -> Redirect:
        """Builds the calendar, or brings it up to date with the documents. Raises what CalendarService raises."""
        holdings = await holdings_of(known.account_id, job_service, calendars)
        await _save(calendars, known, holdings, Changes(), limits=settings.limits)
        return _back("take")

    @post("/dates")
    async def date(
        self,
        request: AnyRequest,
        known: Visitor,
        job_service: JobService,
        calendars: CalendarService,
        settings: Settings,
    ) -> Redirect | Response[bytes]:
        """The owner's dates count as confirmed. Where they cannot be, the form is shown again with the reason."""
        form = await _fields(request)
        holdings = await holdings_of(known.account_id, job_service, calendars)
        before = holdings.calendar.assembly.calendar.dates if holdings.calendar else YearDates()
        try:
            changes = Changes(academic_year=year_choice(form, before))
            await _save(calendars, known, holdings, changes, limits=settings.limits)
        except (InvalidCalendar, InvalidRequest) as error:
            return page_of_refused_dates(request, holdings, form, error)
        return _back("dates")

    @post("/year")
    async def set_year(
        self,
        request: AnyRequest,
        known: Visitor,
        job_service: JobService,
        calendars: CalendarService,
        settings: Settings,
    ) -> Redirect:
        """The year of the classes, with the dates that are known or estimated of it. Own dates of another year go."""
        choice = YearChoice(year=_year(await _fields(request)))
        holdings = await holdings_of(known.account_id, job_service, calendars)
        await _save(calendars, known, holdings, Changes(academic_year=choice), limits=settings.limits)
        return _back("dates")

    @post("/choices")
    async def choose(
        self,
        request: AnyRequest,
        known: Visitor,
        job_service: JobService,
        calendars: CalendarService,
        settings: Settings,
    ) -> Redirect:
        """Modules that are shown, and the groups that are attended."""
        form = await _fields(request)
        holdings = await holdings_of(known.account_id, job_service, calendars)
        before = holdings.calendar.assembly.calendar.choices if holdings.calendar else Choices()
        choices = choices_from_form(form, [event for _, event in holdings.named], before)
        await _save(calendars, known, holdings, Changes(choices=choices), limits=settings.limits)
        return _back("check")

    @post("/replacements")
    async def decide(
        self,
        request: AnyRequest,
        known: Visitor,
        job_service: JobService,
        calendars: CalendarService,
        settings: Settings,
    ) -> Redirect:
        """Replaces the older printing, or keeps both. A question that was answered meanwhile changes nothing."""
        form = dict(await _fields(request))
        holdings = await holdings_of(known.account_id, job_service, calendars)
        question = next((q for q in holdings.plan.questions if str(q.document) == form.get("document")), None)
        # Before there is a calendar nothing can double; its year may have to be chosen first.
        if question and holdings.calendar:
            replaced = holdings.replaced
            if form.get("answer") == "replace":
                replaced = accepted(holdings.documents, question, replaced)
            in_calendar = (*holdings.plan.joined, question.document)
            after = plan(holdings.documents, in_calendar, replaced)
            changes = Changes(job_ids=after.joined, replaced=replaced)
            await _save(calendars, known, holdings, changes, limits=settings.limits)
        return _back("results")

    @post("/replacements/undo")
    async def undo(
        self,
        request: AnyRequest,
        known: Visitor,
        job_service: JobService,
        calendars: CalendarService,
        settings: Settings,
    ) -> Redirect:
        """The older printing counts again, and the newer one is to be decided on again."""
        document = dict(await _fields(request)).get("document")
        holdings = await holdings_of(known.account_id, job_service, calendars)
        back = {old for old, new in holdings.replaced if str(new) == document}
        if back:
            replaced = tuple(pair for pair in holdings.replaced if str(pair[1]) != document)
            in_calendar = {*back, *(job_id for job_id in holdings.in_calendar if str(job_id) != document)}
            after = plan(holdings.documents, in_calendar, replaced)
            changes = Changes(job_ids=after.joined, replaced=replaced)
            await _save(calendars, known, holdings, changes, limits=settings.limits)
        return _back("results")


def _year(form: list[tuple[str, str]]) -> int:
    """Raises InvalidRequest."""
    typed = dict(form).get("year", "")
    if not (typed.isascii() and typed.isdecimal() and len(typed) == _YEAR_DIGITS):
        detail = "Choose a year."
        raise InvalidRequest(detail, (FieldError(field="year", detail=detail),))
    return int(typed)


async def _fields(request: AnyRequest) -> list[tuple[str, str]]:
    form = await request.form()
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def _coloured(choices: Choices, holdings: Holdings, job_ids: Collection[UUID]) -> Choices:
    """With a colour for each module, so that no two of a calendar look alike while there are colours."""
    documents = [document for document in holdings.documents if document.job_id in job_ids]
    modules = {event.module for document in documents for event in document.events}
    return msgspec.structs.replace(choices, colours=distinct_colours(modules, choices.colours))


async def _save(
    calendars: CalendarService, owner: Visitor, holdings: Holdings, changes: Changes, *, limits: LimitSettings
) -> None:
    """All that was read, in the calendar that there is or in a new one. Dates that are not entered are estimated."""
    job_ids = holdings.plan.joined if changes.job_ids is UNSET else changes.job_ids
    before = holdings.calendar.assembly.calendar.choices if holdings.calendar else Choices()
    choices = _coloured(before if changes.choices is UNSET else changes.choices, holdings, job_ids)
    if holdings.calendar:
        calendar_id = holdings.calendar.assembly.calendar.id
        replaced = holdings.replaced if changes.replaced is UNSET else changes.replaced
        changes = msgspec.structs.replace(
            changes, job_ids=job_ids, replaced=replaced, choices=choices, estimate_dates=True
        )
        await calendars.change(owner.account_id, calendar_id, changes, limits=limits)
        return
    await calendars.create(
        owner.account_id,
        job_ids=job_ids,
        academic_year=None if changes.academic_year is UNSET else changes.academic_year,
        choices=choices,
        estimate_dates=True,
        limits=limits,
    )
