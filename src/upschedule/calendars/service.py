"""The use cases of a calendar's owner."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
from msgspec import UNSET

from upschedule.calendars.assembly import CalendarAssembly, likeliest_year
from upschedule.calendars.build import basis_of
from upschedule.calendars.errors import CalendarChanged, CalendarNotFound, TooManyCalendars, YearNotFound
from upschedule.calendars.model import (
    Calendar,
    CalendarInputs,
    CalendarOptions,
    Changes,
    Choices,
    Document,
    KnownYear,
    LastEdit,
    Replaced,
    YearChoice,
)
from upschedule.calendars.previews import YearAdvice, advise
from upschedule.calendars.proposals import GroupProposals, check_searchable, propose_groups
from upschedule.calendars.repository import CalendarRepository
from upschedule.calendars.sources import SourceRepository
from upschedule.calendars.tokens import feed_token
from upschedule.calendars.validation import (
    check_bounds,
    check_complete,
    check_dates,
    check_edits,
    check_jobs,
    checked_name,
)
from upschedule.planning.wishes import Wishes
from upschedule.settings import CalendarSettings, LimitSettings
from upschedule.stores.database import Connection, Database
from upschedule.stores.tokens import token_hash
from upschedule.timetable.estimate import Estimate

#: South African time, which decides the present year.
_SAST = dt.timezone(dt.timedelta(hours=2))
_VERSION_DIGITS = 24

#: Whether a change may be made to this version of a calendar.
IsExpected = Callable[[str], bool]


def _any_version(_: str) -> bool:
    return True


class ListedCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar in a list, without data derived from its documents. `feed_url` is empty while it has no feed."""

    calendar: Calendar
    job_ids: tuple[UUID, ...]
    public_url: str
    feed_url: str


class OwnedCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as its owner sees it. `feed_url` is secret: it gives read access; it is empty while there is no feed.

    `version` changes with everything that the calendar's content depends on.
    """

    assembly: CalendarAssembly
    version: str
    public_url: str
    uid_domain: str
    feed_url: str

    @property
    def listed(self) -> ListedCalendar:
        """The calendar as an item of a list."""
        return ListedCalendar(
            calendar=self.assembly.calendar,
            job_ids=tuple(document.job_id for document in self.assembly.documents),
            public_url=self.public_url,
            feed_url=self.feed_url,
        )


class _Year(msgspec.Struct, frozen=True, kw_only=True):
    """A year with what is known of it. `estimate` is None where none is wanted."""

    number: int
    known: KnownYear | None
    estimate: Estimate | None


class CalendarService:
    """Every method may raise StoreError; another owner's calendar is CalendarNotFound.

    `feed_secret` is the key that feed addresses are derived from. `limits` are those of the request: an operator may
    change them.
    """

    def __init__(
        self,
        database: Database,
        options: CalendarOptions,
        *,
        feed_secret: str,
        new_id: Callable[[], UUID],
        now: Callable[[], dt.datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._options = options
        self._feed_secret = feed_secret
        self._new_id = new_id
        self._now = now
        self._monotonic = monotonic
        # Each search uses a processor for its whole time, and threads share one.
        self._searching = asyncio.Lock()

    async def create(
        self,
        account_id: UUID,
        *,
        job_ids: tuple[UUID, ...],
        name: str | None = None,
        academic_year: YearChoice | None = None,
        choices: Choices | None = None,
        estimate_dates: bool = False,
        limits: LimitSettings,
    ) -> OwnedCalendar:
        """Raises InvalidCalendar, ScheduleNotRead, DatesMissing, TooManyCalendars. `job_ids`: completed jobs."""
        async with self._database.transaction() as connection:
            calendars = CalendarRepository(connection)
            await calendars.lock_account(account_id)
            if await calendars.count(account_id) >= limits.calendars_per_account:
                raise TooManyCalendars
            documents = await _documents(connection, account_id, job_ids)
            choice = academic_year or YearChoice()
            year = await self._resolve_year(calendars, choice, documents, estimate=estimate_dates)
            calendar = self._new(
                account_id, name, year.number, choice, choices or Choices(), estimate_dates=estimate_dates
            )
            check_bounds(calendar)
            assembly = self._assembly(calendar, year, documents, ())
            check_complete(assembly, events_max=limits.events_per_calendar)
            await calendars.insert(calendar, self._token_hash(calendar))
            await calendars.join(calendar.id, job_ids)
            await calendars.add_modules(calendar.id, _modules(assembly))
            return self._owned(assembly, await _owned(calendars, account_id, calendar.id))

    async def get(self, account_id: UUID, calendar_id: UUID) -> OwnedCalendar:
        async with self._database.transaction() as connection:
            inputs = await _owned(CalendarRepository(connection), account_id, calendar_id)
            return self._owned(await self.load(connection, inputs), inputs)

    async def recent(self, account_id: UUID) -> list[ListedCalendar]:
        """All calendars of this owner, newest first; their number is limited."""
        async with self._database.transaction() as connection:
            found = await CalendarRepository(connection).of_account(account_id)
        return [self._list_item(inputs) for inputs in found]

    async def newest(self, account_id: UUID) -> OwnedCalendar | None:
        """The newest calendar of this owner, or None."""
        async with self._database.transaction() as connection:
            found = await CalendarRepository(connection).of_account(account_id)
            return self._owned(await self.load(connection, found[0]), found[0]) if found else None

    async def change(
        self,
        account_id: UUID,
        calendar_id: UUID,
        changes: Changes,
        *,
        limits: LimitSettings,
        expects: IsExpected = _any_version,
    ) -> OwnedCalendar:
        """Raises what `create` raises, and CalendarChanged. A rotated feed's old address ends at once."""
        async with self._database.transaction() as connection:
            calendars = CalendarRepository(connection)
            await calendars.lock_account(account_id)
            inputs = await _owned(calendars, account_id, calendar_id)
            self._check_version(inputs, expects)
            documents = await self._documents_after(connection, inputs, changes)
            calendar, year = await self._apply(calendars, inputs, changes, documents)
            replaced = _replaced_after(inputs, changes)
            check_bounds(calendar)
            check_edits(calendar.edits)
            assembly = self._assembly(calendar, year, documents, replaced)
            check_complete(assembly, events_max=limits.events_per_calendar)
            await calendars.update(calendar, self._token_hash(calendar))
            await calendars.join(calendar.id, [document.job_id for document in documents])
            await calendars.replace(calendar.id, replaced)
            await calendars.add_modules(calendar.id, _modules(assembly))
            return self._owned(assembly, await _owned(calendars, account_id, calendar.id))

    async def delete(self, account_id: UUID, calendar_id: UUID, *, expects: IsExpected = _any_version) -> None:
        """Deletes the calendar with its feed and all that was published. Raises CalendarChanged."""
        async with self._database.transaction() as connection:
            calendars = CalendarRepository(connection)
            await calendars.lock_account(account_id)
            self._check_version(await _owned(calendars, account_id, calendar_id), expects)
            if not await calendars.delete(account_id, calendar_id):
                raise CalendarNotFound

    async def years(self) -> list[KnownYear]:
        """Those of which something is known, in order."""
        async with self._database.reading() as connection:
            return await CalendarRepository(connection).years()

    async def year(self, year: int) -> KnownYear:
        """Raises YearNotFound."""
        async with self._database.reading() as connection:
            known = await CalendarRepository(connection).year(year)
        if known is None:
            raise YearNotFound
        return known

    def today(self) -> dt.date:
        """The date in South Africa, which decides the present year."""
        return self.local_time().date()

    def local_time(self) -> dt.datetime:
        """The time in South Africa."""
        return self._now().astimezone(_SAST)

    async def advise(self, assembly: CalendarAssembly) -> YearAdvice:
        """Information that helps the owner of a calendar, or of a new one, to choose a year and confirm its dates."""
        return advise(assembly, await self.years(), self.today())

    async def propose(self, assembly: CalendarAssembly, wishes: Wishes, settings: CalendarSettings) -> GroupProposals:
        """Combinations of groups for this calendar, best first. Raises TooManyGroups."""
        check_searchable(assembly, classes_max=settings.proposal_classes_max)
        async with self._searching:
            return await asyncio.to_thread(propose_groups, assembly, wishes, settings, clock=self._monotonic)

    async def draft(self, account_id: UUID, documents: Sequence[Document]) -> CalendarAssembly:
        """The calendar that `create` would make of these documents with estimated dates. Nothing is stored."""
        async with self._database.transaction() as connection:
            year = await self._resolve_year(CalendarRepository(connection), YearChoice(), documents, estimate=True)
        calendar = self._new(account_id, None, year.number, YearChoice(), Choices(), estimate_dates=True)
        return self._assembly(calendar, year, documents, ())

    async def _documents_after(
        self, connection: Connection, inputs: CalendarInputs, changes: Changes
    ) -> tuple[Document, ...]:
        if changes.job_ids is UNSET:
            return await SourceRepository(connection).documents(inputs.job_ids)
        return await _documents(connection, inputs.calendar.account_id, changes.job_ids)

    async def _apply(
        self, calendars: CalendarRepository, inputs: CalendarInputs, changes: Changes, documents: tuple[Document, ...]
    ) -> tuple[Calendar, _Year]:
        before = inputs.calendar
        choice = changes.academic_year
        estimate_dates = before.estimate_dates if changes.estimate_dates is UNSET else changes.estimate_dates
        if choice is UNSET and changes.job_ids is not UNSET and not before.year_chosen:
            # A document that joins later may be the first to print a year.
            choice = YearChoice()
        if choice is UNSET:
            number = before.academic_year
            estimate = await calendars.estimate(number) if estimate_dates else None
            year = _Year(number=number, known=inputs.known, estimate=estimate)
        else:
            year = await self._resolve_year(calendars, choice, documents, estimate=estimate_dates)
        name = changes.name
        if name is UNSET:
            name = _default_name(year.number) if before.name == _default_name(before.academic_year) else before.name
        closes = before.feed_open and changes.feed_open is False
        calendar = msgspec.structs.replace(
            before,
            name=checked_name(name),
            academic_year=year.number,
            year_chosen=before.year_chosen if choice is UNSET else choice.is_explicit,
            dates=before.dates if choice is UNSET else choice.dates,
            choices=before.choices if changes.choices is UNSET else changes.choices,
            planning=before.planning if changes.planning is UNSET else changes.planning,
            edits=before.edits if changes.edits is UNSET else changes.edits,
            last_edit=_last_edit_after(before, changes),
            # Once more where the feed ends: a release that knows no closed feeds must not serve it either.
            token_generation=before.token_generation + (changes.rotate_feed or closes),
            feed_open=before.feed_open if changes.feed_open is UNSET else changes.feed_open,
            updated_at=self._now(),
            estimate_dates=estimate_dates,
        )
        return calendar, year

    async def _resolve_year(
        self, calendars: CalendarRepository, choice: YearChoice, documents: Sequence[Document], *, estimate: bool
    ) -> _Year:
        events = [event for document in documents for event in document.events]
        year = likeliest_year(events, self.today()) if choice.year is None else choice.year
        known = await calendars.year(year)
        check_dates(year, choice, known)
        return _Year(number=year, known=known, estimate=await calendars.estimate(year) if estimate else None)

    def _new(
        self,
        account_id: UUID,
        name: str | None,
        year: int,
        choice: YearChoice,
        choices: Choices,
        *,
        estimate_dates: bool,
    ) -> Calendar:
        now = self._now()
        return Calendar(
            id=self._new_id(),
            account_id=account_id,
            name=checked_name(name or _default_name(year)),
            token_generation=1,
            academic_year=year,
            year_chosen=choice.is_explicit,
            dates=choice.dates,
            choices=choices,
            created_at=now,
            updated_at=now,
            estimate_dates=estimate_dates,
        )

    async def load(self, connection: Connection, inputs: CalendarInputs) -> CalendarAssembly:
        """The calendar of these rows, without a check of its owner."""
        documents = await SourceRepository(connection).documents(inputs.job_ids)
        year = _Year(number=inputs.calendar.academic_year, known=inputs.known, estimate=inputs.estimate)
        return self._assembly(inputs.calendar, year, documents, inputs.replaced)

    def _assembly(
        self, calendar: Calendar, year: _Year, documents: Sequence[Document], replaced: tuple[Replaced, ...]
    ) -> CalendarAssembly:
        return CalendarAssembly(
            calendar,
            year.known,
            documents,
            exam_minutes=self._options.exam_minutes,
            estimate=year.estimate,
            replaced=replaced,
        )

    def _token_hash(self, calendar: Calendar) -> bytes:
        return token_hash(feed_token(self._feed_secret, calendar.id, calendar.token_generation))

    def _check_version(self, inputs: CalendarInputs, expects: IsExpected) -> None:
        if not expects(self._version(inputs)):
            raise CalendarChanged

    def _version(self, inputs: CalendarInputs) -> str:
        return basis_of(inputs, self._options).hex()[:_VERSION_DIGITS]

    def _owned(self, assembly: CalendarAssembly, inputs: CalendarInputs) -> OwnedCalendar:
        return OwnedCalendar(
            assembly=assembly,
            version=self._version(inputs),
            public_url=self._options.public_url,
            uid_domain=self._options.uid_domain,
            feed_url=self._feed_url(assembly.calendar),
        )

    def _list_item(self, inputs: CalendarInputs) -> ListedCalendar:
        return ListedCalendar(
            calendar=inputs.calendar,
            job_ids=inputs.job_ids,
            public_url=self._options.public_url,
            feed_url=self._feed_url(inputs.calendar),
        )

    def _feed_url(self, calendar: Calendar) -> str:
        if not calendar.feed_open:
            return ""
        token = feed_token(self._feed_secret, calendar.id, calendar.token_generation)
        return feed_url(self._options.public_url, token)


def _default_name(year: int) -> str:
    return f"UP timetable {year}"


def feed_url(public_url: str, token: str) -> str:
    """The URL from which a calendar program fetches the feed."""
    return f"{public_url}/calendars/{token}.ics"


def _modules(assembly: CalendarAssembly) -> set[str]:
    return {event.module for _, event in assembly.named}


async def _documents(connection: Connection, account_id: UUID, job_ids: tuple[UUID, ...]) -> tuple[Document, ...]:
    sources = SourceRepository(connection)
    check_jobs(job_ids, await sources.statuses(account_id, job_ids))
    return await sources.documents(job_ids)


def _replaced_after(inputs: CalendarInputs, changes: Changes) -> tuple[Replaced, ...]:
    if changes.replaced is not UNSET:
        return changes.replaced
    return inputs.replaced if changes.job_ids is UNSET else ()


def _last_edit_after(before: Calendar, changes: Changes) -> LastEdit | None:
    """An earlier one is not to be undone after another change of the same: it would undo both."""
    hidden_stay = changes.choices is UNSET or changes.choices.hidden_events == before.choices.hidden_events
    if changes.last_edit or (changes.edits is UNSET and hidden_stay):
        return changes.last_edit or before.last_edit
    return None


async def _owned(calendars: CalendarRepository, account_id: UUID, calendar_id: UUID) -> CalendarInputs:
    inputs = await calendars.owned(account_id, calendar_id)
    if inputs is None:
        raise CalendarNotFound
    return inputs
