"""Loads and changes a visitor's documents and calendar for the forms of the pages."""

from collections.abc import Callable, Collection
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import msgspec
from litestar.response import Redirect
from msgspec import UNSET

from upschedule.accounts.service import Visitor
from upschedule.calendars.colouring import distinct_colours
from upschedule.calendars.errors import CalendarChanged
from upschedule.calendars.model import Changes, Choices
from upschedule.calendars.service import CalendarService
from upschedule.calendars.shares import ShareService
from upschedule.processing.service import JobService
from upschedule.settings import LimitSettings, Settings
from upschedule.web.http.identity import AnyRequest
from upschedule.web.pages.holdings import Holdings, holdings_of, holdings_with_share
from upschedule.web.pages.views import wanted

_SEE_OTHER = 303
#: A form whose calendar changes during each of these is refused with CalendarChanged.
_ATTEMPTS = 4


class Editor:
    """Changes the calendar of one visitor during one request."""

    def __init__(
        self,
        owner: Visitor,
        jobs: JobService,
        calendars: CalendarService,
        shares: ShareService,
        limits: LimitSettings,
    ) -> None:
        self._owner = owner
        self._jobs = jobs
        self._calendars = calendars
        self._shares = shares
        self._limits = limits

    async def holdings(self) -> Holdings:
        """Loads the documents and the calendar. Raises StoreError."""
        return await holdings_of(self._owner.account_id, self._jobs, self._calendars)

    async def shown(self) -> Holdings:
        """Loads everything that the page shows, including the page for others. Raises StoreError."""
        return await holdings_with_share(self._owner.account_id, self._jobs, self._calendars, self._shares)

    async def change(self, made: Callable[[Holdings], Changes | None]) -> None:
        """Saves the changes that `made` returns; None changes nothing. Raises what CalendarService raises.

        `made` runs again if the calendar was changed at the same time, so that no change undoes another. A change
        without `job_ids` puts all documents that were read into the calendar. Unknown dates are estimated.
        """
        for attempt in range(_ATTEMPTS):
            holdings = await self.holdings()
            changes = made(holdings)
            if changes is None:
                return
            try:
                await self._save(holdings, changes)
            except CalendarChanged:
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return

    async def _save(self, holdings: Holdings, changes: Changes) -> None:
        job_ids = holdings.plan.joined if changes.job_ids is UNSET else changes.job_ids
        before = holdings.calendar.assembly.calendar.choices if holdings.calendar else Choices()
        choices = _coloured(before if changes.choices is UNSET else changes.choices, holdings, job_ids)
        if holdings.calendar:
            replaced = holdings.replaced if changes.replaced is UNSET else changes.replaced
            changes = msgspec.structs.replace(
                changes, job_ids=job_ids, replaced=replaced, choices=choices, estimate_dates=True
            )
            calendar_id = holdings.calendar.assembly.calendar.id
            await self._calendars.change(
                self._owner.account_id,
                calendar_id,
                changes,
                limits=self._limits,
                expects=holdings.calendar.version.__eq__,
            )
            return
        await self._calendars.create(
            self._owner.account_id,
            job_ids=job_ids,
            academic_year=None if changes.academic_year is UNSET else changes.academic_year,
            choices=choices,
            estimate_dates=True,
            limits=self._limits,
        )


async def provide_editor(
    known: Visitor, job_service: JobService, calendars: CalendarService, shares: ShareService, settings: Settings
) -> Editor:
    """The dependency `editor`. Raises NoVisitor."""
    return Editor(known, job_service, calendars, shares, settings.limits)


def back_to(request: AnyRequest, part: str, *, again: UUID | None = None) -> Redirect:
    """Redirects to this part of the page, in the week and the view from which the form was sent.

    `again` is a document that was already there when the visitor added it.
    """
    query = wanted(dict(parse_qsl(urlsplit(request.headers.get("referer", "")).query))).query
    if again:
        query += f"{'&' if query else ''}again={again}"
    return Redirect(f"/{'?' if query else ''}{query}#{part}", status_code=_SEE_OTHER)


async def fields(request: AnyRequest) -> list[tuple[str, str]]:
    """The names and texts of the form's fields, in their order."""
    form = await request.form()
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def _coloured(choices: Choices, holdings: Holdings, job_ids: Collection[UUID]) -> Choices:
    """Chooses a colour for each module.

    Two modules have the same colour only if there are more modules than colours.
    """
    documents = [document for document in holdings.documents if document.job_id in job_ids]
    modules = {event.module for document in documents for event in document.events}
    return msgspec.structs.replace(choices, colours=distinct_colours(modules, choices.colours))
