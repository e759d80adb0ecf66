"""Handles the forms of the first page. Each answers with a redirect to the page, so that a reload repeats nothing."""

from uuid import UUID

from litestar import Controller, Response, post
from litestar.di import Provide
from litestar.response import Redirect

from upschedule.accounts.service import Visitor
from upschedule.calendars.errors import CalendarChanged, InvalidCalendar
from upschedule.calendars.model import Changes, Choices, YearChoice
from upschedule.calendars.replacing import accepted, plan
from upschedule.errors import FieldError
from upschedule.processing.errors import JobNotFound
from upschedule.processing.service import JobService
from upschedule.timetable.academic_year import YearDates
from upschedule.web.http.errors import InvalidRequest
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.uploads import UploadReceiver
from upschedule.web.pages.dates import basis_of_dates, year_choice
from upschedule.web.pages.documents import documents
from upschedule.web.pages.editing import Editor, back_to, fields, provide_editor
from upschedule.web.pages.holdings import Holdings
from upschedule.web.pages.home import page_of_refused_dates
from upschedule.web.pages.modules import choices_from_form
from upschedule.web.pages.rendering import error_handlers, page

_YEAR_DIGITS = 4


class DocumentForms(Controller):
    """Adding, retrying and removing documents."""

    path = "/documents"
    include_in_schema = False
    exception_handlers = error_handlers()
    dependencies = {"editor": Provide(provide_editor)}  # noqa: RUF012 - the framework reads it from the class

    # The reader bounds the body itself, while it arrives.
    @post(request_max_body_size=None)
    async def add(self, request: AnyRequest, visitor: Visitor | None, receiver: UploadReceiver) -> Redirect:
        """Adds one file. If the same file was already added, the page says so."""
        accepted = await receiver.receive(request, visitor)
        return back_to(request, "documents", again=None if accepted.created else accepted.job.id)

    @post("/{job_id:uuid}/retry")
    async def retry(self, request: AnyRequest, job_id: UUID, known: Visitor, receiver: UploadReceiver) -> Redirect:
        """Raises what UploadReceiver.retry raises."""
        await receiver.retry(request, known.account_id, job_id)
        return back_to(request, "documents")

    @post("/{job_id:uuid}/remove")
    async def remove(
        self, request: AnyRequest, job_id: UUID, known: Visitor, job_service: JobService, editor: Editor
    ) -> Redirect | Response[bytes]:
        """Removes a document with everything that was read from it.

        It asks for confirmation first, unless the form contains one. Scripts send the confirmation, because they offer
        to undo the removal before they send the form.
        """
        if dict(await fields(request)).get("sure") != "yes":
            holdings = await editor.holdings()
            asked = next((card for card in documents(holdings.jobs, holdings.read).cards if card.id == job_id), None)
            if asked is None:
                raise JobNotFound
            return page(request, "remove.html", document=asked)
        await job_service.delete(known.account_id, job_id)
        return back_to(request, "documents")


class CalendarForms(Controller):
    """Builds the calendar of all documents, sets its dates, and selects the modules and groups that are attended."""

    path = "/calendar"
    include_in_schema = False
    exception_handlers = error_handlers()
    dependencies = {"editor": Provide(provide_editor)}  # noqa: RUF012 - the framework reads it from the class

    @post()
    async def build(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Builds the calendar, or updates it to the present documents. Raises what CalendarService raises."""
        await editor.change(lambda _: Changes())
        return back_to(request, "take")

    @post("/dates")
    async def date(self, request: AnyRequest, editor: Editor) -> Redirect | Response[bytes]:
        """Saves the owner's dates, which count as confirmed.

        If they are refused, the form is shown again with the reason.
        """
        form = await fields(request)

        def dated(holdings: Holdings) -> Changes:
            _check_basis(form, holdings)
            before = holdings.calendar.assembly.calendar.dates if holdings.calendar else YearDates()
            return Changes(academic_year=year_choice(form, before))

        try:
            await editor.change(dated)
        except (InvalidCalendar, InvalidRequest) as error:
            return page_of_refused_dates(request, await editor.shown(), form, error)
        return back_to(request, "dates")

    @post("/year")
    async def set_year(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Sets the year of the classes, with its known or estimated dates.

        Removes the owner's dates of another year.
        """
        form = await fields(request)
        choice = YearChoice(year=_year(form))

        def of_year(holdings: Holdings) -> Changes:
            _check_basis(form, holdings)
            return Changes(academic_year=choice)

        await editor.change(of_year)
        return back_to(request, "dates")

    @post("/choices")
    async def choose(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Saves which modules are shown and which groups are attended."""
        form = await fields(request)

        def chosen(holdings: Holdings) -> Changes:
            before = holdings.calendar.assembly.calendar.choices if holdings.calendar else Choices()
            return Changes(choices=choices_from_form(form, [event for _, event in holdings.named], before))

        await editor.change(chosen)
        return back_to(request, "check")

    @post("/replacements")
    async def decide(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Replaces the older version of a schedule, or keeps both.

        Changes nothing if the question has been answered since.
        """
        form = dict(await fields(request))

        def decided(holdings: Holdings) -> Changes | None:
            question = next((q for q in holdings.plan.questions if str(q.document) == form.get("document")), None)
            # Before there is a calendar nothing can double; its year may have to be chosen first.
            if question is None or holdings.calendar is None:
                return None
            replaced = holdings.replaced
            if form.get("answer") == "replace":
                replaced = accepted(holdings.documents, question, replaced)
            after = plan(holdings.documents, (*holdings.plan.joined, question.document), replaced)
            return Changes(job_ids=after.joined, replaced=replaced)

        await editor.change(decided)
        return back_to(request, "results")

    @post("/replacements/undo")
    async def undo(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Makes the older version valid again, and asks the question about the newer one again."""
        document = dict(await fields(request)).get("document")

        def undone(holdings: Holdings) -> Changes | None:
            back = {old for old, new in holdings.replaced if str(new) == document}
            if not back:
                return None
            replaced = tuple(pair for pair in holdings.replaced if str(pair[1]) != document)
            in_calendar = {*back, *(job_id for job_id in holdings.in_calendar if str(job_id) != document)}
            after = plan(holdings.documents, in_calendar, replaced)
            return Changes(job_ids=after.joined, replaced=replaced)

        await editor.change(undone)
        return back_to(request, "results")


def _check_basis(form: list[tuple[str, str]], holdings: Holdings) -> None:
    """Raises CalendarChanged if the dates have changed since the form was rendered."""
    basis = dict(form).get("basis")
    if basis and holdings.calendar and basis != basis_of_dates(holdings.calendar.assembly.calendar):
        raise CalendarChanged


def _year(form: list[tuple[str, str]]) -> int:
    """Raises InvalidRequest."""
    typed = dict(form).get("year", "")
    if not (typed.isascii() and typed.isdecimal() and len(typed) == _YEAR_DIGITS):
        detail = "Choose a year."
        raise InvalidRequest(detail, (FieldError(field="year", detail=detail),))
    return int(typed)
