"""The page: everything a visitor has, at one address."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from litestar import Controller, Response, route

from upschedule.accounts.service import Visitor
from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import InvalidCalendar
from upschedule.calendars.model import Choices
from upschedule.calendars.service import CalendarService
from upschedule.processing.service import JobService
from upschedule.timetable.event import Exam
from upschedule.web.http.errors import InvalidRequest
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING
from upschedule.web.http.problems import http_status_for
from upschedule.web.pages.dates import Dates, complaint, dates_of, refused_dates
from upschedule.web.pages.devices import device_of
from upschedule.web.pages.documents import documents
from upschedule.web.pages.holdings import Holdings, holdings_of
from upschedule.web.pages.rendering import error_handlers, page
from upschedule.web.pages.replacements import replacement_views
from upschedule.web.pages.schedule import schedule, with_dates
from upschedule.web.pages.views import wanted
from upschedule.web.pages.years import YearQuestion, year_question


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """`current`: everything that was read is in it. Apple takes `webcal:`, the others fetch by `https:`.

    `google_from_url` is Google's own page on which a link can be pasted.
    """

    feed_url: str
    ics_url: str
    apple_url: str
    google_url: str
    google_from_url: str
    outlook_url: str
    current: bool


class HomeController(Controller):
    """Safe to reload: a GET makes nothing."""

    path = "/"
    include_in_schema = False
    exception_handlers = error_handlers()

    @route(http_method=READING)
    async def home(
        self, request: AnyRequest, visitor: Visitor | None, job_service: JobService, calendars: CalendarService
    ) -> Response[bytes]:
        """Empty for a person who has made nothing yet."""
        if visitor is None:
            return _page(request, Holdings((), {}, None), None, known=False)
        holdings = await holdings_of(visitor.account_id, job_service, calendars)
        return _page(request, holdings, _dates(holdings), known=True)


def page_of_refused_dates(
    request: AnyRequest, holdings: Holdings, form: Sequence[tuple[str, str]], error: InvalidCalendar | InvalidRequest
) -> Response[bytes]:
    """The page with the dates form as it was sent, and what is wrong beside its fields."""
    dates = _dates(holdings)
    shown = refused_dates(dates, form, error.errors) if dates else None
    message = complaint(shown, error.detail) if shown else error.detail
    status_code = http_status_for(type(error))
    return _page(request, holdings, shown, known=True, message=message, status_code=status_code)


def _page(
    request: AnyRequest,
    holdings: Holdings,
    dates: Dates | None,
    *,
    known: bool,
    message: str = "",
    status_code: int = 200,
) -> Response[bytes]:
    assembly = holdings.calendar.assembly if holdings.calendar else None
    choices = assembly.calendar.choices if assembly else Choices()
    shown = schedule(holdings.named, holdings.warnings, choices, _exam_ends(assembly)) if holdings.named else None
    if shown and assembly and holdings.current and holdings.now:
        shown = with_dates(shown, assembly, wanted(request.query_params), holdings.now)
    return page(
        request,
        "index.html",
        status_code=status_code,
        known=known,
        device=device_of(request.headers.get("user-agent", "")),
        message=message,
        documents=documents(holdings.jobs, holdings.read),
        schedule=shown,
        dates=dates,
        years=_years(holdings),
        replacements=replacement_views(holdings.plan, holdings.jobs),
        calendar=_links(holdings),
        reading_key=" ".join(sorted(str(job_id) for job_id in holdings.plan.joined)),
    )


def _dates(holdings: Holdings) -> Dates | None:
    if holdings.assembly is None or holdings.advice is None:
        return None
    return dates_of(holdings.assembly, holdings.advice)


def _years(holdings: Holdings) -> YearQuestion:
    if holdings.assembly is None or holdings.advice is None:
        return YearQuestion()
    events = [event for _, event in holdings.named]
    return year_question(holdings.assembly, holdings.advice, events, made=holdings.calendar is not None)


def _exam_ends(assembly: CalendarAssembly | None) -> dict[str, str]:
    if assembly is None:
        return {}
    exams = [entry_id for entry_id, event in assembly.named if isinstance(event, Exam)]
    return {entry_id: f"{assembly.occurrences[entry_id][0].end:%H:%M}" for entry_id in exams}


def _links(holdings: Holdings) -> Links | None:
    if holdings.calendar is None:
        return None
    calendar = holdings.calendar.assembly.calendar
    return calendar_links(
        feed_url=holdings.calendar.feed_url,
        ics_url=f"/api/v1/calendars/{calendar.id}/calendar.ics",
        name=calendar.name,
        current=holdings.current,
    )


def calendar_links(*, feed_url: str, ics_url: str, name: str, current: bool) -> Links:
    """`feed_url` is absolute."""
    return Links(
        feed_url=feed_url,
        ics_url=ics_url,
        apple_url=urlsplit(feed_url)._replace(scheme="webcal").geturl(),
        google_url=f"https://calendar.google.com/calendar/r?{urlencode({'cid': feed_url})}",
        google_from_url="https://calendar.google.com/calendar/r/settings/addbyurl",
        outlook_url="https://outlook.office.com/calendar/0/addfromweb?"
        + urlencode({"url": feed_url, "name": name}, quote_via=quote),
        current=current,
    )
