"""Handles the screens for editing entries. Each form redirects to the place from which it was opened."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from litestar import Controller, Response, post, route
from litestar.di import Provide
from litestar.response import Redirect

from upschedule.accounts.service import Visitor
from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import InvalidCalendar
from upschedule.calendars.model import Changes, LastEdit
from upschedule.processing.pictures import RowPictures
from upschedule.processing.reports import RowReports
from upschedule.timetable.colours import Colour
from upschedule.timetable.edits import Edits
from upschedule.timetable.text import clean
from upschedule.web.http.errors import NotFound
from upschedule.web.http.exchange import settings_of
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING
from upschedule.web.http.rate_limits import RateLimits
from upschedule.web.pages.editing import Editor, back_to, fields, provide_editor
from upschedule.web.pages.entries import (
    EntryScreen,
    by_field,
    colours_from_form,
    edit_from_form,
    entries_screen,
    entry_screen,
    hidden_after,
    new_screen,
    own_from_form,
    reminder_kinds,
    reminders_from_form,
    with_values,
    without_edit,
    without_own,
)
from upschedule.web.pages.evidence import evidence_of
from upschedule.web.pages.holdings import Holdings
from upschedule.web.pages.rendering import error_handlers, page, page_of_refusal
from upschedule.web.pages.views import wanted

_SEE_OTHER = 303
_LIST = "/entries"
# As long as a file is kept, on the device of its owner only.
_KEPT_BY_BROWSER = {"Cache-Control": "private, max-age=86400, immutable"}


class EntryForms(Controller):
    """The forms for the entries of the visitor's newest calendar."""

    path = _LIST
    include_in_schema = False
    exception_handlers = error_handlers()
    dependencies = {"editor": Provide(provide_editor)}  # noqa: RUF012 - the framework reads it from the class

    @route(http_method=READING)
    async def all(self, request: AnyRequest, editor: Editor) -> Response[bytes]:
        """Shows every entry, with links to edit it and a box to hide it."""
        return page(request, "entries.html", screen=entries_screen(_assembly(await editor.holdings())))

    @post()
    async def show(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Shows the ticked entries and hides the others, but only those that the student changed in the form."""
        form = await fields(request)

        def shown(holdings: Holdings) -> Changes | None:
            assembly = _assembly(holdings)
            hidden = hidden_after(form, assembly)
            if set(hidden) == set(assembly.calendar.choices.hidden_events):
                return None
            return _undoable(assembly, "which entries are shown", hidden=hidden)

        await editor.change(shown)
        return Redirect(f"{_LIST}#main", status_code=_SEE_OTHER)

    @post("/undo")
    async def undo(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Undoes the last change that was made on these screens."""

        def undone(holdings: Holdings) -> Changes | None:
            calendar = _assembly(holdings).calendar
            if calendar.last_edit is None:
                return None
            before = calendar.last_edit
            colours = calendar.choices.colours if before.colours is None else before.colours
            choices = msgspec.structs.replace(calendar.choices, hidden_events=before.hidden_events, colours=colours)
            return Changes(edits=before.edits, choices=choices)

        await editor.change(undone)
        form = dict(await fields(request))
        return _back(form) if form.get("back") == "list" else back_to(request, "views")

    @route("/reminders", http_method=READING)
    async def reminders(self, request: AnyRequest, editor: Editor) -> Response[bytes]:
        """Shows the reminders of each kind of entry."""
        kinds = reminder_kinds(_assembly(await editor.holdings()).calendar.choices)
        return page(request, "reminders.html", kinds=kinds)

    @post("/reminders")
    async def remind(self, request: AnyRequest, editor: Editor) -> Redirect:
        """Saves the reminders. Raises InvalidCalendar."""
        form = dict(await fields(request))

        def chosen(holdings: Holdings) -> Changes:
            return Changes(choices=reminders_from_form(form, _assembly(holdings).calendar.choices))

        await editor.change(chosen)
        return Redirect(_LIST, status_code=_SEE_OTHER)

    @route("/new", http_method=READING)
    async def new(self, request: AnyRequest, editor: Editor) -> Response[bytes]:
        """Shows the form for an entry of the owner's own."""
        _assembly(await editor.holdings())
        return _form(request, new_screen(), _origin(request))

    @post("/new")
    async def add(self, request: AnyRequest, editor: Editor) -> Redirect | Response[bytes]:
        """Adds the entry. If it is refused, the form is shown again with the reason."""
        form = dict(await fields(request))
        own_id = secrets.token_hex(8)

        def added(holdings: Holdings) -> Changes:
            assembly = _assembly(holdings)
            edits = own_from_form(assembly.calendar.edits, None, form, new_id=own_id)
            return _undoable(assembly, _title(form), edits=edits, colours=colours_from_form(form, assembly, ""))

        async def screen() -> EntryScreen:
            return new_screen()

        return await self._changed(request, editor, form, added, screen)

    @route("/{entry_id:str}", http_method=READING)
    async def one(
        self, request: AnyRequest, entry_id: str, known: Visitor, editor: Editor, pictures: RowPictures
    ) -> Response[bytes]:
        """Shows the form of one entry, with the row that it was read from. Raises NotFound."""
        screen = await _with_pictures(_screen(await editor.holdings(), entry_id), known, pictures)
        return _form(request, screen, _origin(request))

    @route("/{entry_id:str}/rows/{name:str}", http_method=READING)
    async def picture(
        self,
        *,
        request: AnyRequest,
        entry_id: str,
        name: str,
        known: Visitor,
        editor: Editor,
        pictures: RowPictures,
        rate_limits: RateLimits,
    ) -> Response[bytes]:
        """Sends the picture of a row of the document. Raises NotFound, FileGone, NoPicture, LimitExceeded."""
        evidence = evidence_of(_assembly(await editor.holdings()), entry_id, {})
        found = [each for each in evidence.pictures if f"{each.name}.png" == name] if evidence else []
        if evidence is None or not found:
            raise NotFound
        await rate_limits.picture(request, known.account_id)
        image = await pictures.draw(known.account_id, evidence.job_id, found[0].box)
        return Response(image, media_type="image/png", headers=_KEPT_BY_BROWSER)

    @post("/{entry_id:str}/report")
    async def report(
        self,
        *,
        request: AnyRequest,
        entry_id: str,
        known: Visitor,
        editor: Editor,
        reports: RowReports,
        rate_limits: RateLimits,
    ) -> Redirect:
        """Sends the row to the operators. Raises NotFound, LimitExceeded."""
        form = dict(await fields(request))
        assembly = _assembly(await editor.holdings())
        printed = assembly.printed.get(entry_id)
        if printed is None:
            raise NotFound
        await rate_limits.report(request, known.account_id)
        remark = "\n".join(line for line in map(clean, form.get("remark", "").splitlines()) if line)
        with_file = await reports.add(
            known.account_id,
            assembly.source_of(printed),
            printed,
            remark=remark,
            with_file=form.get("file") == "yes",
        )
        return Redirect(f"/entries/{entry_id}?sent={'file' if with_file else 'row'}#sent", status_code=_SEE_OTHER)

    @post("/{entry_id:str}")
    async def edit(
        self, request: AnyRequest, entry_id: str, known: Visitor, editor: Editor, pictures: RowPictures
    ) -> Redirect | Response[bytes]:
        """Saves, hides, shows or removes the entry, or restores it as printed. Raises NotFound, CalendarChanged."""
        form = dict(await fields(request))

        def made(holdings: Holdings) -> Changes:
            return _changes(holdings, entry_id, form)

        async def screen() -> EntryScreen:
            return await _with_pictures(_screen(await editor.holdings(), entry_id), known, pictures)

        return await self._changed(request, editor, form, made, screen)

    async def _changed(
        self,
        request: AnyRequest,
        editor: Editor,
        form: Mapping[str, str],
        made: Callable[[Holdings], Changes],
        screen: Callable[[], Awaitable[EntryScreen]],
    ) -> Redirect | Response[bytes]:
        try:
            await editor.change(made)
        except InvalidCalendar as refused:
            shown = with_values(await screen(), form)
            return page_of_refusal(
                request,
                "entry.html",
                by_field(refused),
                screen=shown,
                back=form.get("back", ""),
                **_report_form(request),
            )
        return _back(form)


def _changes(holdings: Holdings, entry_id: str, form: Mapping[str, str]) -> Changes:
    assembly = _assembly(holdings)
    edits, hidden = assembly.calendar.edits, assembly.calendar.choices.hidden_events
    title, do = _screen(holdings, entry_id).title, form.get("do")
    own = dict(assembly.own).get(entry_id)
    if own:
        if do == "remove":
            return _undoable(assembly, title, edits=without_own(edits, own))
        after = own_from_form(edits, own, form, new_id="")
        return _undoable(assembly, title, edits=after, colours=colours_from_form(form, assembly, entry_id))
    others = tuple(other for other in hidden if other != entry_id)
    match do:
        case "hide":
            return _undoable(assembly, title, hidden=(*others, entry_id))
        case "show":
            return _undoable(assembly, title, hidden=others)
        case "reset":
            return _undoable(assembly, title, edits=without_edit(edits, entry_id))
        case _:
            after = edit_from_form(assembly, entry_id, form)
            return _undoable(assembly, title, edits=after, colours=colours_from_form(form, assembly, entry_id))


def _undoable(
    assembly: CalendarAssembly,
    title: str,
    *,
    edits: Edits | None = None,
    hidden: tuple[str, ...] | None = None,
    colours: dict[str, Colour] | None = None,
) -> Changes:
    calendar = assembly.calendar
    choices = calendar.choices
    return Changes(
        edits=calendar.edits if edits is None else edits,
        choices=msgspec.structs.replace(
            choices,
            hidden_events=choices.hidden_events if hidden is None else hidden,
            colours=choices.colours if colours is None else colours,
        ),
        last_edit=LastEdit(
            title=title, edits=calendar.edits, hidden_events=choices.hidden_events, colours=choices.colours
        ),
    )


def _title(form: Mapping[str, str]) -> str:
    return clean(form.get("title", ""))


def _assembly(holdings: Holdings) -> CalendarAssembly:
    """The visitor's calendar. Raises NotFound for a person without one."""
    if holdings.calendar is None:
        raise NotFound
    return holdings.calendar.assembly


def _screen(holdings: Holdings, entry_id: str) -> EntryScreen:
    files = {job.id: job.file_name for job in holdings.jobs}
    found = entry_screen(_assembly(holdings), entry_id, files)
    if found is None:
        raise NotFound
    return found


async def _with_pictures(screen: EntryScreen, known: Visitor, pictures: RowPictures) -> EntryScreen:
    """The evidence; without pictures if the file was deleted."""
    evidence = screen.evidence
    if evidence is None or await pictures.exist(known.account_id, evidence.job_id):
        return screen
    return msgspec.structs.replace(screen, evidence=msgspec.structs.replace(evidence, pictures=()))


def _form(request: AnyRequest, screen: EntryScreen, back: str) -> Response[bytes]:
    return page(request, "entry.html", screen=screen, back=back, errors={}, message="", **_report_form(request))


def _report_form(request: AnyRequest) -> dict[str, Any]:
    """The texts of the form that reports a row. `sent`: `row` or `file`, after the form was sent."""
    days = settings_of(request.scope).jobs.report_file_days
    return {"sent": request.query_params.get("sent", ""), "file_days": f"{days:g}"}


def _origin(request: AnyRequest) -> str:
    """The place from which the form was opened: `list`, or the query of the first page."""
    parts = urlsplit(request.headers.get("referer", ""))
    return "list" if parts.path.startswith(_LIST) else wanted(dict(parse_qsl(parts.query))).query


def _back(form: Mapping[str, str]) -> Redirect:
    """Redirects to the list, or to the week from which the form was opened, where the change can be undone."""
    back = form.get("back", "")
    if back == "list":
        return Redirect(f"{_LIST}#main", status_code=_SEE_OTHER)
    query = wanted(dict(parse_qsl(back))).query
    return Redirect(f"/?{query}{'&' if query else ''}edited=yes#views", status_code=_SEE_OTHER)
