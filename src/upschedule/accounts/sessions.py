"""Sessions: PostgreSQL holds them, Redis caches them (R10.3). Only the hash of an id is stored."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import structlog

from upschedule.accounts.random_ids import hash_of, hash_of_cookie, new_id
from upschedule.accounts.session_cache import CacheEntry, SessionCache
from upschedule.accounts.session_repository import Session, SessionLives, SessionRepository
from upschedule.metrics import SESSION_LOOKUPS, SESSIONS_BEGUN
from upschedule.stores.database import Connection, Database
from upschedule.stores.errors import StoreError

_LISTED_MAX = 100

_log = structlog.stdlib.get_logger("upschedule.accounts")


class KnownSession(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` of its lifetime are left. `renewed`: this use has prolonged it."""

    account_id: UUID
    seconds: int
    renewed: bool = False


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """`session_id` is the value of the cookie."""

    session_id: str
    session: Session


class SessionStore:
    """Finds, begins and ends sessions. While Redis is unavailable, every lookup reads PostgreSQL."""

    def __init__(
        self, database: Database, cache: SessionCache, *, lives: SessionLives, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._cache = cache
        self._lives = lives
        self._now = now

    async def begin(self, connection: Connection, account_id: UUID, *, browser: str = "") -> NewSession:
        """Runs in the caller's transaction; call `cache` after it. Raises StoreError."""
        session_id, sessions = new_id(), SessionRepository(connection)
        session = await sessions.create(hash_of(session_id), account_id, self._now(), browser=browser)
        return NewSession(session_id=session_id, session=session)

    async def cache(self, new: NewSession) -> KnownSession:
        """Counts the new session and caches it for all instances. Raises nothing."""
        SESSIONS_BEGUN.inc()
        await self._store_in_cache(new.session)
        return self._known(new.session)

    async def find(self, session_id: str) -> KnownSession | None:
        """None for an id that is unknown, ended or malformed. Raises StoreError only if PostgreSQL is unavailable."""
        id_hash = hash_of_cookie(session_id)
        if id_hash is None:
            return None
        session = await self._read(id_hash)
        if session is None or not self._is_alive(session):
            return None
        if self._now() - session.last_seen_at < self._lives.touch:
            return self._known(session)
        return await self._touched(session)

    async def end(self, connection: Connection, session_id: str) -> list[bytes]:
        """Runs in the caller's transaction; pass the result to `invalidate` after it. Raises StoreError."""
        id_hash = hash_of_cookie(session_id)
        if id_hash is None:
            return []
        await SessionRepository(connection).end(id_hash, self._now())
        return [id_hash]

    async def of_account(self, connection: Connection, account_id: UUID) -> list[Session]:
        """The account's live sessions, the most recently used first, at most a hundred. Raises StoreError."""
        sessions = SessionRepository(connection)
        return await sessions.of_account(account_id, self._lives, self._now(), rows_max=_LISTED_MAX)

    async def invalidate(self, hashes: Sequence[bytes]) -> None:
        """Raises StoreError if Redis is unavailable; an entry that it still has expires within a minute."""
        if hashes:
            await self._cache.invalidate(hashes)

    async def _read(self, id_hash: bytes) -> Session | None:
        try:
            cached = await self._cache.find(id_hash)
        except StoreError as error:
            _log.warning("session_cache_unavailable", reason=error.reason)
            return await self._from_database(id_hash, CacheEntry())
        if cached.session is not None:
            SESSION_LOOKUPS.labels(outcome="cached").inc()
            return cached.session
        session = await self._from_database(id_hash, cached)
        if session is not None and self._is_alive(session):
            await self._store_in_cache(session)
        return session

    async def _from_database(self, id_hash: bytes, cached: CacheEntry) -> Session | None:
        async with self._database.transaction() as connection:
            sessions = SessionRepository(connection)
            session = await sessions.find(id_hash)
            if session is None and cached.previous is not None:
                # The previous release began it, and writes to Redis only.
                session = await sessions.adopt(id_hash, cached.previous, self._now())
        SESSION_LOOKUPS.labels(outcome="unknown" if session is None else "stored").inc()
        return session

    async def _touched(self, session: Session) -> KnownSession | None:
        try:
            async with self._database.transaction() as connection:
                touched = await SessionRepository(connection).touch(session.id_hash, self._now())
        except StoreError as error:
            # On a full disk reads go on; the next use is recorded instead.
            _log.warning("session_use_not_kept", reason=error.reason)
            return self._known(session)
        if touched is None:
            return None
        await self._store_in_cache(touched)
        return msgspec.structs.replace(self._known(touched), renewed=True)

    async def _store_in_cache(self, session: Session) -> None:
        try:
            await self._cache.store(session, session.remaining(self._lives, self._now()))
        except StoreError as error:
            _log.warning("session_cache_unavailable", reason=error.reason)

    def _is_alive(self, session: Session) -> bool:
        return session.remaining(self._lives, self._now()).total_seconds() > 0

    def _known(self, session: Session) -> KnownSession:
        seconds = int(session.remaining(self._lives, self._now()).total_seconds())
        return KnownSession(account_id=session.account_id, seconds=seconds)
