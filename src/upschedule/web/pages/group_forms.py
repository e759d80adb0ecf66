"""Handles the screen for choosing groups. Each form redirects to the screen."""

import msgspec
from litestar import Controller, Response, post, route
from litestar.di import Provide
from litestar.response import Redirect

from upschedule.accounts.service import Visitor
from upschedule.calendars.model import Calendar, Changes
from upschedule.calendars.proposals import alternatives
from upschedule.calendars.service import CalendarService, OwnedCalendar
from upschedule.settings import Settings
from upschedule.web.http.errors import NotFound
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING
from upschedule.web.pages.editing import Editor, fields, provide_editor
from upschedule.web.pages.groups import alternatives_screen, groups_from_form, groups_screen, wishes_from_form
from upschedule.web.pages.holdings import Holdings
from upschedule.web.pages.rendering import error_handlers, page

_SEE_OTHER = 303


class GroupForms(Controller):
    """The forms for the visitor's newest calendar. A person without a calendar is redirected to the first page."""

    path = "/groups"
    include_in_schema = False
    exception_handlers = error_handlers()
    dependencies = {"editor": Provide(provide_editor)}  # noqa: RUF012 - the framework reads it from the class

    @route(http_method=READING)
    async def choose(
        self, request: AnyRequest, visitor: Visitor | None, calendars: CalendarService, settings: Settings
    ) -> Response[bytes] | Redirect:
        """Shows the screen. Raises TooManyGroups."""
        owned = await calendars.newest(visitor.account_id) if visitor else None
        if owned is None:
            return Redirect("/", status_code=_SEE_OTHER)
        wishes = owned.assembly.calendar.planning.wishes
        found = await calendars.propose(owned.assembly, wishes, settings.calendars)
        return page(request, "groups.html", screen=groups_screen(owned.assembly, found))

    @route("/classes/{entry_id:str}", http_method=READING)
    async def one(
        self, request: AnyRequest, entry_id: str, known: Visitor, calendars: CalendarService, settings: Settings
    ) -> Response[bytes]:
        """Shows the alternatives to one class. Raises NotFound."""
        owned = await _newest(known, calendars)
        found = alternatives(owned.assembly, entry_id, settings.calendars)
        if found is None:
            raise NotFound
        return page(request, "alternatives.html", screen=alternatives_screen(owned.assembly, *found))

    @post("/take")
    async def take(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Chooses the groups of a proposal or of one class. Raises what CalendarService raises."""
        taken = groups_from_form(await fields(request))

        def attending(holdings: Holdings) -> Changes:
            choices = _calendar(holdings).choices
            return Changes(choices=msgspec.structs.replace(choices, groups=choices.groups | taken))

        await editor.change(attending)
        return Redirect("/groups#current", status_code=_SEE_OTHER)

    @post("/wishes")
    async def wish(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Saves the wishes, which rank the proposals. Raises what CalendarService raises."""
        wishes = wishes_from_form(await fields(request))

        def wishing(holdings: Holdings) -> Changes:
            return Changes(planning=msgspec.structs.replace(_calendar(holdings).planning, wishes=wishes))

        await editor.change(wishing)
        return Redirect("/groups#proposals", status_code=_SEE_OTHER)

    @post("/clashes")
    async def dismiss(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Dismisses a clash, or shows it again. Raises what CalendarService raises."""
        form = dict(await fields(request))
        answered = form.get("clash", "")

        def answering(holdings: Holdings) -> Changes:
            before = _calendar(holdings).planning
            others = tuple(clash for clash in before.dismissed_clashes if clash != answered)
            dismissed = (*others, answered) if answered and form.get("answer") == "dismiss" else others
            return Changes(planning=msgspec.structs.replace(before, dismissed_clashes=dismissed))

        await editor.change(answering)
        return Redirect("/groups#clashes", status_code=_SEE_OTHER)


def _calendar(holdings: Holdings) -> Calendar:
    if holdings.calendar is None:
        raise NotFound
    return holdings.calendar.assembly.calendar


async def _newest(known: Visitor, calendars: CalendarService) -> OwnedCalendar:
    owned = await calendars.newest(known.account_id)
    if owned is None:
        raise NotFound
    return owned
