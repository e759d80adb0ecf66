"""Sessions: PostgreSQL holds them, Redis caches them (R10.3). Only the hash of an id is stored."""

import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import structlog

from upschedule.accounts.session_cache import Found, SessionCache
from upschedule.accounts.session_repository import Session, SessionLives, SessionRepository, hash_of
from upschedule.stores.database import Connection, Database
from upschedule.stores.errors import StoreError

_ID_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{43}")

_log = structlog.stdlib.get_logger("upschedule.accounts")


class KnownSession(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` are left for the cookie; `renewed`: they have just become more."""

    account_id: UUID
    seconds: int
    renewed: bool = False


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """`session_id` is for the cookie and cannot be read back from any store."""

    session_id: str
    session: Session


class SessionStore:
    """A session is an account's id under the hash of 256 random bits. Without Redis, PostgreSQL answers alone."""

    def __init__(
        self, database: Database, cache: SessionCache, *, lives: SessionLives, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._cache = cache
        self._lives = lives
        self._now = now

    async def begin(self, connection: Connection, account_id: UUID) -> NewSession:
        """In the caller's transaction; call `publish` after it. Raises StoreError."""
        session_id = secrets.token_urlsafe(_ID_BYTES)
        session = await SessionRepository(connection).create(hash_of(session_id), account_id, self._now())
        return NewSession(session_id=session_id, session=session)

    async def publish(self, new: NewSession) -> KnownSession:
        """Lets all instances know it without a question to PostgreSQL. Raises nothing."""
        await self._keep(new.session)
        return self._known(new.session)

    async def find(self, session_id: str) -> KnownSession | None:
        """None for an id that is unknown, ended or made up. Raises StoreError only where PostgreSQL is away."""
        if not _ID.fullmatch(session_id):
            return None
        id_hash = hash_of(session_id)
        session = await self._read(id_hash)
        if session is None or not self._lives_on(session):
            return None
        if self._now() - session.last_seen_at < self._lives.touch:
            return self._known(session)
        return await self._touched(session)

    async def end(self, connection: Connection, session_id: str) -> list[bytes]:
        """In the caller's transaction; hand what is returned to `forget` after it. Raises StoreError."""
        if not _ID.fullmatch(session_id):
            return []
        await SessionRepository(connection).end(hash_of(session_id), self._now())
        return [hash_of(session_id)]

    async def end_all(self, connection: Connection, account_id: UUID) -> list[bytes]:
        """All of an account; otherwise as `end`."""
        return await SessionRepository(connection).end_all(account_id, self._now())

    async def forget(self, hashes: Sequence[bytes]) -> None:
        """Raises StoreError where Redis cannot be told; an entry that it still has ends within a minute."""
        if hashes:
            await self._cache.forget(hashes)

    async def _read(self, id_hash: bytes) -> Session | None:
        try:
            cached = await self._cache.find(id_hash)
        except StoreError as error:
            _log.warning("session_cache_unavailable", reason=error.reason)
            return await self._from_database(id_hash, Found())
        if cached.session is not None:
            return cached.session
        session = await self._from_database(id_hash, cached)
        if session is not None and self._lives_on(session):
            await self._keep(session)
        return session

    async def _from_database(self, id_hash: bytes, cached: Found) -> Session | None:
        async with self._database.transaction() as connection:
            sessions = SessionRepository(connection)
            session = await sessions.find(id_hash)
            if session is None and cached.previous is not None:
                # Begun by the previous release, which writes to Redis only.
                session = await sessions.adopt(id_hash, cached.previous, self._now())
        return session

    async def _touched(self, session: Session) -> KnownSession | None:
        try:
            async with self._database.transaction() as connection:
                touched = await SessionRepository(connection).touch(session.id_hash, self._now())
        except StoreError as error:
            # On a full disk reading goes on; the next use is written down instead.
            _log.warning("session_use_not_kept", reason=error.reason)
            return self._known(session)
        if touched is None:
            return None
        await self._keep(touched)
        return msgspec.structs.replace(self._known(touched), renewed=True)

    async def _keep(self, session: Session) -> None:
        try:
            await self._cache.keep(session, session.remaining(self._lives, self._now()))
        except StoreError as error:
            _log.warning("session_cache_unavailable", reason=error.reason)

    def _lives_on(self, session: Session) -> bool:
        return session.remaining(self._lives, self._now()).total_seconds() > 0

    def _known(self, session: Session) -> KnownSession:
        seconds = int(session.remaining(self._lives, self._now()).total_seconds())
        return KnownSession(account_id=session.account_id, seconds=seconds)
