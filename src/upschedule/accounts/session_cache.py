"""Sessions in the state Redis, shared by all instances (R10.3): a cache that may be lost at any time."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from upschedule.accounts.session_repository import Session
from upschedule.stores.redis import store_errors

_STORE = "redis-state"
#: The lifetime of an entry. A session that could not be invalidated in Redis ends after it at the latest.
CACHED_SECONDS = 60
# Longer than any request takes from reading PostgreSQL to writing its entry here.
_BYPASS_SECONDS = 120
_BYPASS = b"-"
_UUID_BYTES = 16

# Stores no session that a request read before the session ended.
_STORE_SESSION = """
if redis.call('GET', KEYS[1]) == '-' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
return 1
"""


class CacheEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`previous`: the account under the key of the previous release, which stores sessions only there."""

    session: Session | None = None
    previous: UUID | None = None


class SessionCache:
    """Keys contain the hash of a session's id. Every method may raise StoreError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def find(self, id_hash: bytes) -> CacheEntry:
        with store_errors(_STORE):
            cached, previous = await self._redis.mget(_key(id_hash), _previous_key(id_hash))
        return CacheEntry(
            session=_decoded(cached),
            previous=UUID(bytes=previous) if isinstance(previous, bytes) and len(previous) == _UUID_BYTES else None,
        )

    async def store(self, session: Session, remaining: timedelta) -> None:
        """Stores the session for at most a minute, and under the previous release's key for its whole lifetime.

        The previous release may still run beside this one.
        """
        seconds = max(1, int(remaining.total_seconds()))
        keys = (_key(session.id_hash), _previous_key(session.id_hash))
        values = (msgspec.json.encode(session), min(CACHED_SECONDS, seconds), session.account_id.bytes, seconds)
        with store_errors(_STORE):
            await self._redis.eval(_STORE_SESSION, len(keys), *keys, *values)  # pyright: ignore[reportArgumentType] - its type leaves bytes out

    async def invalidate(self, hashes: Sequence[bytes]) -> None:
        """Sends later requests to PostgreSQL, even if a concurrent request has read the session there before."""
        with store_errors(_STORE):
            async with self._redis.pipeline(transaction=True) as commands:
                for id_hash in hashes:
                    commands.set(_key(id_hash), _BYPASS, ex=_BYPASS_SECONDS)
                    commands.delete(_previous_key(id_hash))
                await commands.execute()

    async def delete_previous(self, hashes: Sequence[bytes]) -> None:
        """Deletes the keys of the previous release only: entries of this one expire within a minute."""
        with store_errors(_STORE):
            await self._redis.delete(*map(_previous_key, hashes))


def _decoded(cached: object) -> Session | None:
    if not isinstance(cached, bytes) or cached == _BYPASS:
        return None
    try:
        return msgspec.json.decode(cached, type=Session)
    except msgspec.DecodeError:
        return None


def _key(id_hash: bytes) -> str:
    return f"session-cache:{id_hash.hex()}"


def _previous_key(id_hash: bytes) -> str:
    return f"session:{id_hash.hex()}"
