"""The S3 store through the `minio` client, which blocks: each call runs in one of a bounded number of threads."""

import asyncio
import functools
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

import msgspec
import structlog
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

from upschedule.stores.errors import StoreError, StoreFull, StoreTimeout, StoreUnavailable

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_STORE = "objects"
_LISTED_MAX = 1_000
_PROBE = ".ready"
# Some stores say so; others answer with an unspecific error.
_FULL = frozenset({"InsufficientStorage", "XMinioStorageFull"})


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a listing."""

    key: str
    size_bytes: int
    modified_at: datetime


class ObjectMissing(Exception):
    """There is no object with this key."""


class ObjectStore:
    """One bucket. Every request ends within `request_seconds`, and is tried up to three times."""

    def __init__(
        self,
        *,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        secure: bool,
        request_seconds: float,
        concurrency_max: int,
    ) -> None:
        self._bucket = bucket
        self._request_seconds = request_seconds
        self._threads = ThreadPoolExecutor(max_workers=concurrency_max, thread_name_prefix="objects")
        self._http = urllib3.PoolManager(
            maxsize=concurrency_max,
            timeout=Timeout(connect=min(2.0, request_seconds), read=request_seconds),
            retries=Retry(total=2, backoff_factor=0.1, backoff_jitter=0.2, status_forcelist=(500, 502, 503, 504)),
        )
        self._client = Minio(
            endpoint=endpoint,
            access_key=access_key,
            secret_key=secret_key,
            secure=secure,
            region="us-east-1",
            http_client=self._http,
        )

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Replaces an object of the same key."""
        call = functools.partial(
            self._client.put_object,
            bucket_name=self._bucket,
            object_name=key,
            data=io.BytesIO(data),
            length=len(data),
            content_type=content_type,
        )
        await self._run(call)

    async def get(self, key: str, *, size_bytes_max: int) -> bytes:
        """Raises ObjectMissing; never returns more than `size_bytes_max` bytes."""
        return await self._run(functools.partial(self._read, key, size_bytes_max))

    async def delete(self, key: str) -> None:
        """An object that is not there counts as deleted."""
        await self._run(functools.partial(self._client.remove_object, bucket_name=self._bucket, object_name=key))

    async def try_delete(self, key: str) -> None:
        """Deletes an object that nothing refers to any more. Logs a StoreError: a later clean-up removes orphans."""
        try:
            await self.delete(key)
        except StoreError as error:
            _log.warning("object_left_behind", reason=error.reason)

    async def find(self, prefix: str, *, after: str = "") -> list[StoredObject]:
        """At most 1,000 objects whose keys come after `after`, in the order of their keys; empty at the end."""
        return await self._run(functools.partial(self._find, prefix, after))

    async def ping(self) -> None:
        """Raises a StoreError, also where the bucket is missing or the key opens nothing.

        Reads the one object that every key may read; whether it exists does not matter.
        """
        with suppress(ObjectMissing):
            await self.get(_PROBE, size_bytes_max=16)

    def close(self) -> None:
        """Lets requests under way end; they are bounded in time."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._http.clear()

    def _read(self, key: str, size_bytes_max: int) -> bytes:
        response = self._client.get_object(bucket_name=self._bucket, object_name=key)
        try:
            return response.read(size_bytes_max)
        finally:
            response.close()
            response.release_conn()

    def _find(self, prefix: str, after: str) -> list[StoredObject]:
        return list(self._listing(prefix, after))

    def _listing(self, prefix: str, after: str) -> Iterator[StoredObject]:
        found = self._client.list_objects(
            bucket_name=self._bucket, prefix=prefix, recursive=True, start_after=after or None
        )
        for _, item in zip(range(_LISTED_MAX), found, strict=False):
            if item.object_name and item.last_modified:
                yield StoredObject(key=item.object_name, size_bytes=item.size or 0, modified_at=item.last_modified)

    async def _run(self, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            # Three tries and their pauses; a thread that outlives this is ended by the socket's own timeout.
            async with asyncio.timeout(3 * self._request_seconds + 2):
                return await loop.run_in_executor(self._threads, call)
        except S3Error as error:
            if error.code in {"NoSuchKey", "NoSuchObject"}:
                raise ObjectMissing from error
            full = error.code in _FULL
            raise (StoreFull if full else StoreUnavailable)(_STORE, error.code or "S3Error") from error
        except TimeoutError as error:
            raise StoreTimeout(_STORE, "no answer") from error
        except (MinioException, HTTPError, OSError) as error:
            raise StoreUnavailable(_STORE, type(error).__name__) from error
