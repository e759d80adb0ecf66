"""Cache of job rows in Redis (R4.1, R4.2, R4.5). Without it every status is read from PostgreSQL."""

import asyncio
import time
from collections.abc import Callable
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis

from upschedule.metrics import CACHE_LOOKUPS
from upschedule.processing.job import Job
from upschedule.stores.errors import StoreError
from upschedule.stores.redis import store_errors

_log = structlog.get_logger(__name__)
_decoder = msgspec.json.Decoder(Job)
_encoder = msgspec.json.Encoder()

_STORE = "redis-cache"
_PREFIX = "job:"
# Higher than the version of any row, so that a late reader cannot restore a deleted job.
_DELETED = 2**53 - 1
# A cache that takes longer to answer is slower than the database.
_COMMAND_SECONDS = 0.25
_AWAY_SECONDS = 2.0

# A slow reader must not overwrite a new state with an old one.
_STORE_NEWER = """
local held = redis.call('HGET', KEYS[1], 'version')
if held and tonumber(held) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'job', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""


class StatusCache:
    """Rows of `jobs` by id. No method raises StoreError."""

    def __init__(
        self,
        redis: Redis,
        *,
        final_seconds: int,
        pending_seconds: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._final_seconds = final_seconds
        self._pending_seconds = pending_seconds
        self._monotonic = monotonic
        self._away_until = 0.0
        self._store_newer = redis.register_script(_STORE_NEWER)

    async def get(self, job_id: UUID) -> Job | None:
        """None if the job is not cached or Redis is unavailable: read it from PostgreSQL."""
        if self._monotonic() < self._away_until:
            CACHE_LOOKUPS.labels(outcome="away").inc()
            return None
        try:
            with store_errors(_STORE):
                async with asyncio.timeout(_COMMAND_SECONDS):
                    body = await self._redis.hget(_key(job_id), "job")
        except StoreError as error:
            # All readers skip the cache for a moment: each would wait for the whole timeout.
            self._away_until = self._monotonic() + _AWAY_SECONDS
            CACHE_LOOKUPS.labels(outcome="away").inc()
            _log.warning("status_cache_away", reason=error.reason)
            return None
        CACHE_LOOKUPS.labels(outcome="hit" if body else "miss").inc()
        return _decode(body)

    async def put(self, job: Job) -> None:
        """Replaces an older version only. Call it after each change of the row: this is the invalidation (R4.5)."""
        seconds = self._final_seconds if job.is_final else self._pending_seconds
        await self._write(job.id, job.version, _encoder.encode(job), seconds)

    async def forget(self, job_id: UUID) -> None:
        """Marks a job as deleted."""
        await self._write(job_id, _DELETED, b"", self._pending_seconds)

    async def _write(self, job_id: UUID, version: int, body: bytes, seconds: int) -> None:
        try:
            with store_errors(_STORE):
                async with asyncio.timeout(_COMMAND_SECONDS):
                    await self._store_newer(keys=[_key(job_id)], args=[version, body, seconds])
        except StoreError as error:
            _log.warning("status_cache_not_written", job_id=str(job_id), reason=error.reason)


def _key(job_id: UUID) -> str:
    return f"{_PREFIX}{job_id}"


def _decode(body: bytes | str | None) -> Job | None:
    if not body:
        return None
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError:
        # Written by a release with other fields.
        return None
