"""Calendars of several documents, their files, and the academic years they follow."""

import asyncio
import re
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, route
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter

from upschedule.accounts.errors import NoVisitor
from upschedule.accounts.service import Visitor
from upschedule.calendars.errors import (
    CalendarBusy,
    CalendarNotFound,
    DatesMissing,
    FeedNotFound,
    InvalidCalendar,
    ScheduleNotRead,
    TooManyCalendars,
    YearNotFound,
)
from upschedule.calendars.feeds import CalendarFile, FeedService
from upschedule.calendars.model import KnownYear
from upschedule.calendars.service import CalendarService
from upschedule.web.api.calendar_schemas import (
    CALENDARS_PATH,
    CalendarChange,
    CalendarList,
    CalendarView,
    KnownYearList,
    NewCalendar,
    calendar_view,
    changes,
    location_of,
    summary_view,
    unique,
    year_choice,
)
from upschedule.web.http.entity_tags import matches
from upschedule.web.http.guards import OUTSIDE_LIMITS
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING, UNCHANGED, by_method
from upschedule.web.http.problems import problems

#: The framework adds the character set.
_MEDIA_TYPE = "text/calendar"
_FILE = ResponseSpec(bytes, description="An iCalendar file.", media_type=_MEDIA_TYPE, generate_examples=False)
_REFUSED = (NoVisitor, InvalidCalendar, DatesMissing, ScheduleNotRead)
_FEED_SUFFIX = ".ics"
_DOWNLOAD_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Disposition": 'attachment; filename="up-timetable.ics"',
}
#: A feed's address is a secret and its content private: neither may travel on.
_FEED_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class CalendarController(Controller):
    """Another owner's calendar does not exist here: 404."""

    path = CALENDARS_PATH
    tags = ("calendars",)

    @post(
        operation_id="CreateCalendar",
        summary="Join the entries of several jobs in a calendar",
        responses=problems(*_REFUSED, TooManyCalendars),
    )
    async def create(self, data: NewCalendar, known: Visitor, calendars: CalendarService) -> Response[CalendarView]:
        """The same entry in two of the documents is one entry. Without a year, that of the tests is taken."""
        owned = await calendars.create(
            known.account_id,
            job_ids=unique(data.jobs),
            name=data.name,
            academic_year=year_choice(data.academic_year),
            choices=data.choices,
        )
        view = await asyncio.to_thread(calendar_view, owned)
        return Response(view, headers={"Location": location_of(view.id)})

    @get(operation_id="ListCalendars", summary="Your calendars, newest first", responses=problems())
    async def recent(self, visitor: Visitor | None, calendars: CalendarService) -> CalendarList:
        """Somebody who has made nothing has an empty list."""
        found = await calendars.recent(visitor.account_id) if visitor else []
        return CalendarList(calendars=tuple(summary_view(owned) for owned in found))

    @get(
        "/{calendar_id:uuid}",
        operation_id="GetCalendar",
        summary="A calendar with its entries, weeks, clashes and choices",
        responses=problems(CalendarNotFound),
    )
    async def one(self, calendar_id: UUID, visitor: Visitor | None, calendars: CalendarService) -> CalendarView:
        """Dates are worked out for the academic year that the calendar follows."""
        owned = await calendars.get(_owner(visitor), calendar_id)
        return await asyncio.to_thread(calendar_view, owned)

    @patch(
        "/{calendar_id:uuid}",
        operation_id="ChangeCalendar",
        summary="Change a calendar, its dates or its choices, or renew its feed's address",
        responses=problems(CalendarNotFound, *_REFUSED),
    )
    async def change(
        self,
        *,
        calendar_id: UUID,
        data: CalendarChange,
        visitor: Visitor | None,
        calendars: CalendarService,
    ) -> CalendarView:
        """The feed follows; entries keep their UIDs."""
        owned = await calendars.change(_owner(visitor), calendar_id, changes(data))
        return await asyncio.to_thread(calendar_view, owned)

    @delete(
        "/{calendar_id:uuid}",
        operation_id="DeleteCalendar",
        summary="Delete a calendar with its feed",
        responses=problems(CalendarNotFound),
    )
    async def remove(self, calendar_id: UUID, visitor: Visitor | None, calendars: CalendarService) -> None:
        """The documents stay."""
        await calendars.delete(_owner(visitor), calendar_id)

    @get(
        "/{calendar_id:uuid}/calendar.ics",
        operation_id="DownloadCalendar",
        summary="A calendar as a file to import",
        responses={200: _FILE, 304: UNCHANGED, **problems(CalendarNotFound, CalendarBusy)},
    )
    async def download(
        self, request: AnyRequest, calendar_id: UUID, visitor: Visitor | None, feeds: FeedService
    ) -> Response[bytes]:
        """What was removed in the last 30 days is named as cancelled, so that importing it again removes it."""
        file = await feeds.download(_owner(visitor), calendar_id)
        return _answer(request, file, _DOWNLOAD_HEADERS)


class FeedController(Controller):
    """For calendar programs: no cookie, no sign-in, outside the limits, since Google's servers ask for everybody."""

    path = "/calendars"
    tags = ("feeds",)
    opt = OUTSIDE_LIMITS
    security = ({},)

    @route(
        "/{file_name:str}",
        http_method=READING,
        operation_id=by_method("ReadFeed"),
        summary="A calendar's feed",
        responses={200: _FILE, 304: UNCHANGED, **problems(FeedNotFound, CalendarBusy)},
    )
    async def read(
        self,
        request: AnyRequest,
        file_name: Annotated[str, Parameter(description="The secret of the address, then `.ics`", max_length=200)],
        feeds: FeedService,
        module: Annotated[str, Parameter(description="Only this module", max_length=100)] = "",
    ) -> Response[bytes]:
        """Changes of documents, dates and choices appear here by themselves."""
        token = file_name.removesuffix(_FEED_SUFFIX)
        if token == file_name or not re.fullmatch(r"[A-Za-z0-9_-]+", token):
            raise FeedNotFound
        return _answer(request, await feeds.feed(token, module=module), _FEED_HEADERS)


class AcademicYearController(Controller):
    """The years as an operator keeps them."""

    path = "/api/v1/academic-years"
    tags = ("academic years",)

    @get(operation_id="ListAcademicYears", summary="The academic years that are known", responses=problems())
    async def known_years(self, calendars: CalendarService) -> KnownYearList:
        """With their source, and whether an operator has confirmed them."""
        return KnownYearList(academic_years=tuple(await calendars.years()))

    @get(
        "/{year:int}",
        operation_id="GetAcademicYear",
        summary="The known dates of a year",
        responses=problems(YearNotFound),
    )
    async def known_year(self, year: int, calendars: CalendarService) -> KnownYear:
        """Its terms, recesses and special days."""
        return await calendars.year(year)


def _owner(visitor: Visitor | None) -> UUID:
    """Raises CalendarNotFound for somebody who owns nothing yet."""
    if visitor is None:
        raise CalendarNotFound
    return visitor.account_id


def _answer(request: AnyRequest, file: CalendarFile, headers: dict[str, str]) -> Response[bytes]:
    headers = {**headers, "ETag": file.etag}
    if matches(request.headers.get("if-none-match"), file.etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(file.body, media_type=_MEDIA_TYPE, headers=headers)
