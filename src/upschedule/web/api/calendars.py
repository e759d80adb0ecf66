"""Calendars that join several documents, and their files."""

import asyncio
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import HeaderParameter

from upschedule.accounts.errors import NoVisitor
from upschedule.accounts.service import Visitor
from upschedule.calendars.errors import (
    CalendarBusy,
    CalendarChanged,
    CalendarNotFound,
    DatesMissing,
    InvalidCalendar,
    ScheduleNotRead,
    TooManyCalendars,
    TooManyGroups,
)
from upschedule.calendars.feeds import FeedService
from upschedule.calendars.service import CalendarService, IsExpected, OwnedCalendar
from upschedule.settings import Settings
from upschedule.web.api.academic_year_schemas import year_choice
from upschedule.web.api.calendar_schemas import (
    CALENDARS_PATH,
    CalendarChange,
    CalendarList,
    CalendarView,
    NewCalendar,
    calendar_view,
    changes,
    location_of,
    summary_view,
    unique,
)
from upschedule.web.api.feeds import FILE, calendar_file
from upschedule.web.api.proposal_schemas import ProposalsView, RequestedProposals, proposals_view
from upschedule.web.http.entity_tags import names
from upschedule.web.http.guards import THROUGH_MAINTENANCE
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import UNCHANGED
from upschedule.web.http.problems import problems

_REFUSED = (NoVisitor, InvalidCalendar, DatesMissing, ScheduleNotRead)
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=1000,
        description="The `ETag` of the calendar that the change is meant for; without it, the latest is changed",
    ),
]
_DOWNLOAD_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Disposition": 'attachment; filename="up-timetable.ics"',
}


class CalendarController(Controller):
    """The calendar of another owner is answered with 404."""

    path = CALENDARS_PATH
    tags = ("calendars",)

    @post(
        operation_id="CreateCalendar",
        summary="Join the entries of several jobs in a calendar",
        responses=problems(*_REFUSED, TooManyCalendars),
    )
    async def create(
        self, data: NewCalendar, known: Visitor, calendars: CalendarService, settings: Settings
    ) -> Response[CalendarView]:
        """The same entry in two of the documents is one entry. Without a year, that of the tests is taken."""
        owned = await calendars.create(
            known.account_id,
            job_ids=unique(data.jobs),
            name=data.name,
            academic_year=year_choice(data.academic_year),
            choices=data.choices,
            estimate_dates=data.estimate_dates,
            limits=settings.limits,
        )
        view = await asyncio.to_thread(calendar_view, owned)
        return Response(view, headers={"Location": location_of(view.id), "ETag": _tag(owned.version)})

    @get(operation_id="ListCalendars", summary="Your calendars, newest first", responses=problems())
    async def recent(self, visitor: Visitor | None, calendars: CalendarService) -> CalendarList:
        """A visitor without calendars has an empty list."""
        found = await calendars.recent(visitor.account_id) if visitor else []
        return CalendarList(calendars=tuple(summary_view(owned) for owned in found))

    @get(
        "/{calendar_id:uuid}",
        operation_id="GetCalendar",
        summary="A calendar with its entries, weeks, clashes and choices",
        responses=problems(CalendarNotFound),
    )
    async def one(
        self, calendar_id: UUID, visitor: Visitor | None, calendars: CalendarService
    ) -> Response[CalendarView]:
        """Dates are worked out for the academic year that the calendar follows. `ETag` is for a change's `If-Match`."""
        return await _answer(await calendars.get(_owner(visitor), calendar_id))

    @patch(
        "/{calendar_id:uuid}",
        operation_id="ChangeCalendar",
        summary="Change a calendar, its dates or its choices, or renew its feed's address",
        responses=problems(CalendarNotFound, CalendarChanged, *_REFUSED),
    )
    async def change(
        self,
        *,
        calendar_id: UUID,
        data: CalendarChange,
        visitor: Visitor | None,
        calendars: CalendarService,
        settings: Settings,
        if_match: IfMatch = None,
    ) -> Response[CalendarView]:
        """The feed follows; entries keep their UIDs."""
        owned = await calendars.change(
            _owner(visitor), calendar_id, changes(data), limits=settings.limits, expects=_expects(if_match)
        )
        return await _answer(owned)

    @delete(
        "/{calendar_id:uuid}",
        operation_id="DeleteCalendar",
        summary="Delete a calendar with its feed",
        responses=problems(CalendarNotFound, CalendarChanged),
    )
    async def remove(
        self, calendar_id: UUID, visitor: Visitor | None, calendars: CalendarService, if_match: IfMatch = None
    ) -> None:
        """The documents stay."""
        await calendars.delete(_owner(visitor), calendar_id, expects=_expects(if_match))

    @post(
        "/{calendar_id:uuid}/proposals",
        operation_id="ProposeGroups",
        summary="Combinations of groups, those without a clash first",
        status_code=200,
        opt=THROUGH_MAINTENANCE,
        responses=problems(CalendarNotFound, TooManyGroups),
    )
    async def propose(
        self,
        *,
        calendar_id: UUID,
        data: RequestedProposals,
        visitor: Visitor | None,
        calendars: CalendarService,
        settings: Settings,
    ) -> ProposalsView:
        """Nothing is stored. Groups of hidden modules are not chosen."""
        owned = await calendars.get(_owner(visitor), calendar_id)
        wishes = data.wishes or owned.assembly.calendar.planning.wishes
        return proposals_view(await calendars.propose(owned.assembly, wishes, settings.calendars))

    @get(
        "/{calendar_id:uuid}/calendar.ics",
        operation_id="DownloadCalendar",
        summary="A calendar as a file to import",
        responses={200: FILE, 304: UNCHANGED, **problems(CalendarNotFound, CalendarBusy)},
    )
    async def download(
        self, request: AnyRequest, calendar_id: UUID, visitor: Visitor | None, feeds: FeedService
    ) -> Response[bytes]:
        """What was removed in the last 30 days is named as cancelled, so that importing it again removes it."""
        file = await feeds.download(_owner(visitor), calendar_id)
        return calendar_file(request, file, _DOWNLOAD_HEADERS)


def _tag(version: str) -> str:
    return f'"{version}"'


def _expects(if_match: str | None) -> IsExpected:
    return lambda version: names(if_match, _tag(version))


async def _answer(owned: OwnedCalendar) -> Response[CalendarView]:
    view = await asyncio.to_thread(calendar_view, owned)
    return Response(view, headers={"ETag": _tag(owned.version)})


def _owner(visitor: Visitor | None) -> UUID:
    """Raises CalendarNotFound for a person who owns nothing yet."""
    if visitor is None:
        raise CalendarNotFound
    return visitor.account_id
