"""Calls the S3 store from asynchronous code: in a bounded number of threads, and each call in a bounded time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

import structlog

from upschedule.spent_time import spent
from upschedule.stores.bucket import STORE, Bucket, BucketAddress, ObjectMissing, RequestOptions, StoredObject
from upschedule.stores.errors import StoreError, StoreTimeout

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_PROBE = ".ready"
_RETRIES_MAX = 2
# For the pauses between attempts.
_PAUSES_SECONDS_MAX = 2.0


class ObjectStore:
    """One bucket. Every request ends within `request_seconds`, and is tried up to three times."""

    def __init__(self, address: BucketAddress, *, request_seconds: float, concurrency_max: int) -> None:
        self._call_seconds_max = (1 + _RETRIES_MAX) * request_seconds + _PAUSES_SECONDS_MAX
        self._threads = ThreadPoolExecutor(max_workers=concurrency_max, thread_name_prefix="objects")
        self._bucket = Bucket(
            address,
            RequestOptions(
                connect_seconds=min(2.0, request_seconds),
                silence_seconds=request_seconds,
                retries_max=_RETRIES_MAX,
                connections_max=concurrency_max,
            ),
        )

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Replaces an object of the same key."""
        await self._run(partial(self._bucket.put, key, data, content_type=content_type))

    async def get(self, key: str, *, size_bytes_max: int) -> bytes:
        """Raises ObjectMissing; returns at most `size_bytes_max` bytes."""
        return await self._run(partial(self._bucket.get, key, size_bytes_max=size_bytes_max))

    async def delete(self, key: str) -> None:
        """Succeeds if there is no such object."""
        await self._run(partial(self._bucket.delete, key))

    async def try_delete(self, key: str) -> None:
        """Deletes an object that nothing refers to any more. Logs a StoreError: a later clean-up removes orphans."""
        try:
            await self.delete(key)
        except StoreError as error:
            _log.warning("object_left_behind", reason=error.reason)

    async def find(self, prefix: str, *, after: str = "") -> list[StoredObject]:
        """At most 1,000 objects with keys after `after`, in the order of their keys; empty at the end."""
        return await self._run(partial(self._bucket.find, prefix, after=after))

    async def ping(self) -> None:
        """Raises a StoreError, also if the bucket is missing or the key has no access.

        Reads the one object that every key may read; whether it exists does not matter.
        """
        with suppress(ObjectMissing):
            await self.get(_PROBE, size_bytes_max=16)

    def close(self) -> None:
        """Waits for requests under way; they are bounded in time."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._bucket.close()

    async def _run(self, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            # A thread that outlives this is ended by the socket's own timeout.
            with spent("objects"):
                async with asyncio.timeout(self._call_seconds_max):
                    return await loop.run_in_executor(self._threads, call)
        except TimeoutError as error:
            raise StoreTimeout(STORE, "no answer") from error
