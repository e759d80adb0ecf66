"""Sessions in the state Redis, shared by all instances (R10.3). Only the hash of an id is stored."""

import hashlib
import re
import secrets
from uuid import UUID

from redis.asyncio import Redis

from upschedule.stores.redis import translated

_STORE = "redis-state"
_ID_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


class SessionStore:
    """A session is an account's id under the hash of 256 random bits; it ends when unused for its whole life."""

    def __init__(self, redis: Redis, *, life_seconds: int, touch_seconds: int = 86_400) -> None:
        self._redis = redis
        self.life_seconds = life_seconds
        self._touch_seconds = touch_seconds

    async def create(self, account_id: UUID) -> str:
        """The new id, for the cookie; it cannot be read back from the store. Raises StoreError."""
        session_id = secrets.token_urlsafe(_ID_BYTES)
        with translated(_STORE):
            await self._redis.set(_key(session_id), account_id.bytes, ex=self.life_seconds)
        return session_id

    async def find(self, session_id: str) -> tuple[UUID, bool] | None:
        """The account, and whether the session's life was renewed just now, as it is once a day. Raises StoreError."""
        if not _ID.fullmatch(session_id):
            return None
        key = _key(session_id)
        with translated(_STORE):
            found = await self._redis.get(key)
            if not isinstance(found, bytes):
                return None
            renewed = await self._redis.ttl(key) < self.life_seconds - self._touch_seconds
            if renewed:
                await self._redis.expire(key, self.life_seconds)
        return UUID(bytes=found), renewed

    async def end(self, session_id: str) -> None:
        """A session that is not there counts as ended. Raises StoreError."""
        if _ID.fullmatch(session_id):
            with translated(_STORE):
                await self._redis.delete(_key(session_id))


def _key(session_id: str) -> str:
    return f"session:{hashlib.sha256(session_id.encode()).hexdigest()}"
