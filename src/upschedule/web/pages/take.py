"""Handles the ways to use a calendar elsewhere: its links, QR code, table of dates, and the page for others."""

import io
from typing import Annotated
from uuid import UUID

import segno
from litestar import Controller, Response, post, route
from litestar.di import Provide
from litestar.params import Parameter
from litestar.response import Redirect

from upschedule.calendars.errors import CalendarNotFound
from upschedule.calendars.model import Changes
from upschedule.calendars.service import CalendarService
from upschedule.calendars.shares import ShareService
from upschedule.web.http.compression import ENCODED, VARY, accepts_gzip, compressed
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING
from upschedule.web.pages.days import clashing_occurrences, planned_days
from upschedule.web.pages.editing import Editor, back_to, fields, provide_editor
from upschedule.web.pages.exports import as_csv, as_json, exported
from upschedule.web.pages.holdings import Holdings
from upschedule.web.pages.rendering import error_handlers, page
from upschedule.web.pages.schedule import busy_schedule, schedule, with_dates
from upschedule.web.pages.views import wanted
from upschedule.web.pages.warnings import EntryWarnings

_PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
_MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}
_FEED_CHANGES = {
    "rotate": Changes(rotate_feed=True),
    "close": Changes(feed_open=False),
    "open": Changes(feed_open=True),
}


class CalendarLinkForms(Controller):
    """The forms and files with which the owner uses the calendar elsewhere."""

    path = "/calendar"
    include_in_schema = False
    exception_handlers = error_handlers()
    dependencies = {"editor": Provide(provide_editor)}  # noqa: RUF012 - the framework reads it from the class

    @post("/feed")
    async def change_feed(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Replaces the address of the feed, closes the feed, or opens it again. Ignores any other value."""
        changes = _FEED_CHANGES.get(dict(await fields(request)).get("do", ""))
        await editor.change(lambda holdings: changes if holdings.calendar else None)
        return back_to(request, "take")

    @post("/share")
    async def change_share(self, request: AnyRequest, editor: Editor, shares: ShareService) -> Redirect:
        """Opens the page for others, with the whole calendar or with the busy times only, or closes it."""
        wish = dict(await fields(request)).get("shows", "")
        account_id, calendar_id = _calendar(await editor.holdings())
        if wish == "nothing":
            await shares.end(account_id, calendar_id)
        elif wish in {"all", "busy"}:
            await shares.open(account_id, calendar_id, busy_only=wish == "busy")
        return back_to(request, "take")

    @route("/qr.svg", http_method=READING)
    async def qr(self, editor: Editor) -> Response[bytes]:
        """The QR code of the feed's address. Raises CalendarNotFound if there is no feed."""
        calendar = (await editor.holdings()).calendar
        if calendar is None or not calendar.feed_url:
            raise CalendarNotFound
        image = io.BytesIO()
        segno.make_qr(calendar.feed_url, error="m").save(image, kind="svg", scale=5, light="#fff", xmldecl=False)
        return Response(image.getvalue(), media_type="image/svg+xml", headers=_PRIVATE)

    @route("/table/{kind:str}", http_method=READING)
    async def dates(self, request: AnyRequest, kind: str, editor: Editor) -> Response[bytes]:
        """All dates as CSV or JSON."""
        calendar = (await editor.holdings()).calendar
        if calendar is None or kind not in _MEDIA_TYPES:
            raise CalendarNotFound
        rows = exported(planned_days(calendar.assembly, clashing_occurrences(calendar.assembly)))
        content = as_csv(rows) if kind == "csv" else as_json(rows)
        headers = {**_PRIVATE, **VARY, "Content-Disposition": f'attachment; filename="up-timetable.{kind}"'}
        if accepts_gzip(request):
            content, headers = compressed(content), headers | ENCODED
        return Response(content, media_type=_MEDIA_TYPES[kind], headers=headers)


def _calendar(holdings: Holdings) -> tuple[UUID, UUID]:
    """The owner and the calendar. Raises CalendarNotFound."""
    if holdings.calendar is None:
        raise CalendarNotFound
    calendar = holdings.calendar.assembly.calendar
    return calendar.account_id, calendar.id


class SharedController(Controller):
    """The page for others. It sets no cookie, offers no changes, and sends its secret address to no other site."""

    path = "/shared"
    include_in_schema = False
    exception_handlers = error_handlers()

    @route("/{token:str}", http_method=READING)
    async def shared(
        self,
        request: AnyRequest,
        token: Annotated[str, Parameter(max_length=200)],
        shares: ShareService,
        calendars: CalendarService,
    ) -> Response[bytes]:
        """The calendar as its owner shares it, or the times at which the owner is busy."""
        found = await shares.shared(token)
        asked, now = wanted(request.query_params), calendars.local_time()
        assembly = found.assembly
        if found.busy_only:
            shown = busy_schedule(assembly, asked, now)
        else:
            entries = schedule(
                assembly.visible,
                EntryWarnings(),
                assembly.calendar.choices,
                {},
                assembly.calendar.edits.entries,
            )
            shown = with_dates(entries, assembly, asked, now)
        answer = page(
            request, "shared.html", base=f"/shared/{token}", schedule=shown, busy_only=found.busy_only, last_edit=""
        )
        answer.headers |= {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
        return answer
