"""The first page, which shows everything that a visitor has."""

from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from litestar import Controller, Response, route

from upschedule.accounts.service import Visitor
from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import InvalidCalendar
from upschedule.calendars.model import Choices
from upschedule.pdf.errors import TooLarge
from upschedule.timetable.event import Exam
from upschedule.web.http.dependencies import WebContext
from upschedule.web.http.errors import InvalidRequest
from upschedule.web.http.exchange import settings_of
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING
from upschedule.web.http.problems import describe, http_status_for
from upschedule.web.pages.dates import Dates, complaint, dates_of, refused_dates
from upschedule.web.pages.devices import device_of
from upschedule.web.pages.documents import documents
from upschedule.web.pages.groups import choosable, groups_summary
from upschedule.web.pages.holdings import Holdings, holdings_with_share
from upschedule.web.pages.rendering import SESSION_GONE, error_handlers, page
from upschedule.web.pages.replacements import replacement_views
from upschedule.web.pages.schedule import schedule, with_dates
from upschedule.web.pages.views import wanted
from upschedule.web.pages.years import YearQuestion, year_question

#: Of a file that was added twice. The scripts fill the same sentence.
SAME_FILE = "{name} is here already: the same file is not read twice."


class ModuleFeed(msgspec.Struct, frozen=True, kw_only=True):
    """The feed of one module."""

    module: str
    url: str


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """The links of a calendar. `current`: it contains everything that was read.

    Apple subscribes with `webcal:`, the others with `https:`. `google_from_url` is Google's own page on which a student
    can paste the link. If `open` is false, the feed is closed and only `ics_url` can be used.
    """

    feed_url: str
    ics_url: str
    apple_url: str
    google_url: str
    google_from_url: str
    outlook_url: str
    current: bool
    open: bool
    modules: tuple[ModuleFeed, ...] = ()


class UploadBounds(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that the scripts check before they send a file, and the service's sentences for them."""

    size_bytes_max: int
    too_large: str = describe(TooLarge)
    same_file: str = SAME_FILE


class HomeController(Controller):
    """The first page. A GET request changes nothing, so it can be repeated."""

    path = "/"
    include_in_schema = False
    exception_handlers = error_handlers()

    @route(http_method=READING)
    async def home(
        self,
        request: AnyRequest,
        visitor: Visitor | None,
        context: WebContext,
    ) -> Response[bytes]:
        """The page, which is empty for a person without documents. It says once that a cookie is no longer valid."""
        if visitor is None:
            gone = context.identity.cookie_name in request.cookies
            if gone:
                context.identity.forget(request)
            told = f"{SESSION_GONE.title}. {SESSION_GONE.detail}" if gone else ""
            return _page(request, Holdings((), {}, None), None, known=False, told=told)
        holdings = await holdings_with_share(visitor.account_id, context.job_service, context.calendars, context.shares)
        return _page(request, holdings, _dates(holdings), known=True, told=_told(request, holdings))


def page_of_refused_dates(
    request: AnyRequest, holdings: Holdings, form: Sequence[tuple[str, str]], error: InvalidCalendar | InvalidRequest
) -> Response[bytes]:
    """The page with the submitted form of dates, and the errors beside its fields."""
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
    told: str = "",
    status_code: int = 200,
) -> Response[bytes]:
    """Renders the page. `message` is an error, `told` is other information."""
    assembly = holdings.calendar.assembly if holdings.calendar else None
    choices = assembly.calendar.choices if assembly else Choices()
    edits = assembly.calendar.edits.entries if assembly else {}
    ends = _exam_ends(assembly)
    shown = schedule(holdings.named, holdings.warnings, choices, ends, edits) if holdings.named else None
    if shown and assembly and holdings.current and holdings.now:
        shown = with_dates(shown, assembly, wanted(request.query_params), holdings.now)
        shown = msgspec.structs.replace(shown, choosable=choosable(assembly), editable=True)
    if shown:
        shown = msgspec.structs.replace(shown, rows=holdings.rows)
    return page(
        request,
        "index.html",
        status_code=status_code,
        known=known,
        base="/",
        share=holdings.share,
        device=device_of(request.headers.get("user-agent", "")),
        message=message,
        told=told,
        upload=UploadBounds(size_bytes_max=settings_of(request.scope).uploads.size_bytes_max),
        documents=documents(holdings.jobs, holdings.read),
        schedule=shown,
        dates=dates,
        years=_years(holdings),
        groups=groups_summary(holdings.calendar.assembly) if holdings.calendar and holdings.current else None,
        replacements=replacement_views(holdings.plan, holdings.jobs),
        calendar=_links(holdings),
        last_edit=last_edit_title(holdings, request),
        reading_key=" ".join(sorted(str(job_id) for job_id in holdings.plan.joined)),
    )


def last_edit_title(holdings: Holdings, request: AnyRequest) -> str:
    """The description of the last change, if it can be undone; otherwise empty."""
    made = holdings.calendar.assembly.calendar.last_edit if holdings.calendar else None
    return made.title if made and request.query_params.get("edited") else ""


def _told(request: AnyRequest, holdings: Holdings) -> str:
    again = request.query_params.get("again", "")
    name = next((job.file_name for job in holdings.jobs if str(job.id) == again), "")
    return SAME_FILE.format(name=name) if name else ""


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
    modules = sorted({event.module for _, event in holdings.calendar.assembly.visible})
    links = calendar_links(
        feed_url=holdings.calendar.feed_url,
        ics_url=f"/api/v1/calendars/{calendar.id}/calendar.ics",
        name=calendar.name,
        current=holdings.current,
    )
    return msgspec.structs.replace(links, modules=module_feeds(links.feed_url, modules))


def module_feeds(feed_url: str, modules: Iterable[str]) -> tuple[ModuleFeed, ...]:
    """The feed of each module; None if there is no feed."""
    return tuple(ModuleFeed(module=module, url=f"{feed_url}?module={quote(module)}") for module in modules if feed_url)


def calendar_links(*, feed_url: str, ics_url: str, name: str, current: bool) -> Links:
    """The links of the calendar. `feed_url` is absolute, or empty if the feed is closed."""
    return Links(
        feed_url=feed_url,
        ics_url=ics_url,
        apple_url=urlsplit(feed_url)._replace(scheme="webcal").geturl(),
        google_url=f"https://calendar.google.com/calendar/r?{urlencode({'cid': feed_url})}",
        google_from_url="https://calendar.google.com/calendar/r/settings/addbyurl",
        outlook_url="https://outlook.office.com/calendar/0/addfromweb?"
        + urlencode({"url": feed_url, "name": name}, quote_via=quote),
        current=current,
        open=bool(feed_url),
    )
