"""The screen for choosing groups, and what its forms do. Each form leads back to the screen."""

import msgspec
from litestar import Controller, Response, post, route
from litestar.response import Redirect

from upschedule.accounts.service import Visitor
from upschedule.calendars.model import Changes, Planning
from upschedule.calendars.proposals import alternatives
from upschedule.calendars.service import CalendarService, OwnedCalendar
from upschedule.settings import Settings
from upschedule.web.http.errors import NotFound
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING
from upschedule.web.pages.groups import alternatives_screen, groups_from_form, groups_screen, wishes_from_form
from upschedule.web.pages.rendering import error_handlers, page

_SEE_OTHER = 303


class GroupForms(Controller):
    """For the newest calendar of the visitor; without one, the first page says what is next."""

    path = "/groups"
    include_in_schema = False
    exception_handlers = error_handlers()

    @route(http_method=READING)
    async def choose(
        self, request: AnyRequest, visitor: Visitor | None, calendars: CalendarService, settings: Settings
    ) -> Response[bytes] | Redirect:
        """Raises TooManyGroups."""
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
        """The alternatives to one class. Raises NotFound."""
        owned = await _newest(known, calendars)
        found = alternatives(owned.assembly, entry_id, settings.calendars)
        if found is None:
            raise NotFound
        return page(request, "alternatives.html", screen=alternatives_screen(owned.assembly, *found))

    @post("/take")
    async def take(
        self, request: AnyRequest, known: Visitor, calendars: CalendarService, settings: Settings
    ) -> Redirect:
        """The groups of a proposal or of one class. Raises what CalendarService raises."""
        owned = await _newest(known, calendars)
        choices = owned.assembly.calendar.choices
        groups = choices.groups | groups_from_form(await _fields(request))
        await _change(owned, Changes(choices=msgspec.structs.replace(choices, groups=groups)), calendars, settings)
        return Redirect("/groups#current", status_code=_SEE_OTHER)

    @post("/wishes")
    async def wish(
        self, request: AnyRequest, known: Visitor, calendars: CalendarService, settings: Settings
    ) -> Redirect:
        """They rank the proposals. Raises what CalendarService raises."""
        owned = await _newest(known, calendars)
        wishes = wishes_from_form(await _fields(request))
        planning = msgspec.structs.replace(owned.assembly.calendar.planning, wishes=wishes)
        await _change(owned, Changes(planning=planning), calendars, settings)
        return Redirect("/groups#proposals", status_code=_SEE_OTHER)

    @post("/clashes")
    async def dismiss(
        self, request: AnyRequest, known: Visitor, calendars: CalendarService, settings: Settings
    ) -> Redirect:
        """A clash is dismissed, or shown again. Raises what CalendarService raises."""
        form = dict(await _fields(request))
        owned = await _newest(known, calendars)
        before = owned.assembly.calendar.planning
        others = tuple(clash for clash in before.dismissed_clashes if clash != form.get("clash"))
        dismissed = (*others, form["clash"]) if form.get("clash") and form.get("answer") == "dismiss" else others
        planning: Planning = msgspec.structs.replace(before, dismissed_clashes=dismissed)
        await _change(owned, Changes(planning=planning), calendars, settings)
        return Redirect("/groups#clashes", status_code=_SEE_OTHER)


async def _newest(known: Visitor, calendars: CalendarService) -> OwnedCalendar:
    owned = await calendars.newest(known.account_id)
    if owned is None:
        raise NotFound
    return owned


async def _change(owned: OwnedCalendar, changes: Changes, calendars: CalendarService, settings: Settings) -> None:
    calendar = owned.assembly.calendar
    await calendars.change(calendar.account_id, calendar.id, changes, limits=settings.limits)


async def _fields(request: AnyRequest) -> list[tuple[str, str]]:
    form = await request.form()
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
