"""The read-only page of a calendar for other people: its secret link, and what the page may show."""

from collections.abc import Callable
from uuid import UUID

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import CalendarNotFound, ShareNotFound
from upschedule.calendars.repository import CalendarRepository
from upschedule.calendars.service import CalendarService
from upschedule.calendars.tokens import share_token
from upschedule.stores.database import Connection, Database
from upschedule.stores.tokens import token_hash

# Without a lock: the page asks at every visit, and changes nothing.
_OF_CALENDAR = """
    SELECT nonce, busy_only
    FROM calendars LEFT JOIN calendar_shares ON calendar_id = id
    WHERE id = %(calendar_id)s AND account_id = %(account_id)s
"""
_BY_TOKEN = "SELECT calendar_id, busy_only FROM calendar_shares WHERE token_hash = %(token_hash)s"  # noqa: S105 - a query
_SET = """
    INSERT INTO calendar_shares (calendar_id, nonce, token_hash, busy_only)
    VALUES (%(calendar_id)s, %(nonce)s, %(token_hash)s, %(busy_only)s)
    ON CONFLICT (calendar_id) DO UPDATE
    SET nonce = excluded.nonce, token_hash = excluded.token_hash, busy_only = excluded.busy_only
"""
_END = "DELETE FROM calendar_shares WHERE calendar_id = %(calendar_id)s"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A page that is open to everyone with its `url`. `busy_only`: it says when its owner is busy, not with what."""

    url: str
    busy_only: bool


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """The content that a visitor of the page sees."""

    assembly: CalendarAssembly
    busy_only: bool


class ShareService:
    """Every method may raise StoreError; another owner's calendar is CalendarNotFound."""

    def __init__(
        self,
        database: Database,
        calendars: CalendarService,
        *,
        secret: str,
        public_url: str,
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._calendars = calendars
        self._secret = secret
        self._public_url = public_url
        self._new_id = new_id

    async def of_calendar(self, account_id: UUID, calendar_id: UUID) -> Share | None:
        """None while the calendar is not shared."""
        values = {"calendar_id": calendar_id, "account_id": account_id}
        async with self._database.reading() as connection:
            row = await (await connection.execute(_OF_CALENDAR, values)).fetchone()
        if row is None:
            raise CalendarNotFound
        return self._share(calendar_id, row["nonce"], busy_only=row["busy_only"]) if row["nonce"] is not None else None

    async def open(self, account_id: UUID, calendar_id: UUID, *, busy_only: bool) -> Share:
        """Creates a new link. It ends the earlier one, which may have shown more."""
        nonce = self._new_id()
        share = self._share(calendar_id, nonce, busy_only=busy_only)
        values = {
            "calendar_id": calendar_id,
            "nonce": nonce,
            "token_hash": token_hash(share_token(self._secret, calendar_id, nonce)),
            "busy_only": busy_only,
        }
        async with self._database.transaction() as connection:
            await _lock_owned(connection, account_id, calendar_id)
            await connection.execute(_SET, values)
        return share

    async def end(self, account_id: UUID, calendar_id: UUID) -> None:
        """Ends the link at once; sharing again creates another one."""
        async with self._database.transaction() as connection:
            await _lock_owned(connection, account_id, calendar_id)
            await connection.execute(_END, {"calendar_id": calendar_id})

    async def shared(self, token: str) -> Shared:
        """Raises ShareNotFound."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_BY_TOKEN, {"token_hash": token_hash(token)})).fetchone()
            inputs = await CalendarRepository(connection).by_id(row["calendar_id"]) if row else None
            if row is None or inputs is None:
                raise ShareNotFound
            assembly = await self._calendars.load(connection, inputs)
        return Shared(assembly=assembly, busy_only=row["busy_only"])

    def _share(self, calendar_id: UUID, nonce: UUID, *, busy_only: bool) -> Share:
        token = share_token(self._secret, calendar_id, nonce)
        return Share(url=f"{self._public_url}/shared/{token}", busy_only=busy_only)


async def _lock_owned(connection: Connection, account_id: UUID, calendar_id: UUID) -> None:
    calendars = CalendarRepository(connection)
    await calendars.lock_account(account_id)
    if await calendars.owned(account_id, calendar_id) is None:
        raise CalendarNotFound
