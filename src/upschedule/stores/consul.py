"""Reads keys of Consul below a prefix by blocking queries: an answer comes when something has changed."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Self, cast

import aiohttp
import msgspec
from consul import ConsulException  # pyright: ignore[reportMissingTypeStubs] - py-consul has annotations but no marker
from consul.aio import Consul  # pyright: ignore[reportMissingTypeStubs] - py-consul has annotations but no marker
from consul.base import HTTPClient, Response  # pyright: ignore[reportMissingTypeStubs] - py-consul has annotations but no marker

from upschedule.settings import ConsulSettings
from upschedule.stores.errors import StoreTimeout, StoreUnavailable

_STORE = "consul"
# An agent adds up to a sixteenth to the wait, so that its clients do not all ask again at once.
_AGENT_JITTER = 1 + 1 / 16
_CHUNK_BYTES = 65_536


class KeyValue(msgspec.Struct, frozen=True, kw_only=True):
    """One key. `modify_index` tells its present value from every earlier one."""

    key: str
    value: bytes
    modify_index: int


class _Row(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    key: str
    value: bytes | None
    modify_index: int


class ConsulKeys:
    """One client for the process, built in its event loop. Opens no connection before the first query."""

    def __init__(self, settings: ConsulSettings, *, prefix: str) -> None:
        self._settings = settings
        self._prefix = prefix
        self._consul = _BoundedConsul(settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consul.close()

    async def read(self, *, after: int = 0) -> tuple[int, tuple[KeyValue, ...]]:
        """The index and all keys, once something is newer than `after`; with 0, at once. Raises StoreError."""
        late_seconds = self._settings.request_seconds
        held_seconds = self._settings.wait_seconds * _AGENT_JITTER if after else 0.0
        try:
            async with asyncio.timeout(held_seconds + 2 * late_seconds):
                index, rows = await cast("Any", self._consul.kv).get(
                    self._prefix,
                    recurse=True,
                    index=after or None,
                    wait=f"{self._settings.wait_seconds:g}s",
                    connections_timeout=held_seconds + late_seconds,
                )
            return int(index), _entries(rows)
        except TimeoutError as error:
            raise StoreTimeout(_STORE, type(error).__name__) from error
        # The library raises AttributeError for JSON that is no list of objects.
        except (aiohttp.ClientError, ConsulException, OSError, ValueError, AttributeError) as error:
            raise StoreUnavailable(_STORE, type(error).__name__) from error


def next_index(before: int, answered: int) -> int:
    """The index to ask for next; 0 (ask for everything) if Consul's index decreased: it was restored or is new."""
    return answered if answered >= max(before, 1) else 0


class _BoundedConsul(Consul):
    """Takes everything from the settings; the library would prefer the environment's address and token."""

    def __init__(self, settings: ConsulSettings) -> None:
        self._settings = settings
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - no annotations
            host=settings.address, port=0, scheme="", verify=True
        )
        self.token = settings.token

    def http_connect(  # pyright: ignore[reportIncompatibleMethodOverride] - the library needs a `base.HTTPClient` only
        self, *_: Any, **__: Any
    ) -> "_BoundedClient":
        return _BoundedClient(self._settings)


class _BoundedClient(HTTPClient):
    """Reads only, without proxies, and refuses what the library would accept: large and filtered answers."""

    def __init__(self, settings: ConsulSettings) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType] - no annotations
        self.base_uri = settings.address
        self._settings = settings
        self._session = aiohttp.ClientSession(trust_env=False)

    async def get(  # noqa: PLR0917 - the library's signature
        self,
        callback: Callable[[Response], Any],
        path: str,
        params: list[tuple[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
        raw: bool = False,  # noqa: FBT001, FBT002 - the library's signature
        connections_timeout: float | None = None,
    ) -> Any:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._settings.request_seconds, sock_read=connections_timeout
        )
        request = self._session.get(self.uri(path, params), headers=headers, timeout=timeout, allow_redirects=False)
        async with request as response:
            body = await self._bounded(response)
        if response.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise StoreUnavailable(_STORE, f"status {response.status}")
        if response.headers.get("X-Consul-Results-Filtered-By-ACLs") == "true":
            # What a token may not see looks deleted otherwise.
            raise StoreUnavailable(_STORE, "the token may not read these keys")
        return callback(Response(response.status, response.headers, body if raw else body.decode()))

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._settings.answer_bytes_max:
                raise StoreUnavailable(_STORE, f"an answer above {self._settings.answer_bytes_max} bytes")
        return bytes(body)

    def put(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def post(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def delete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        await self._session.close()


def _entries(rows: Any) -> tuple[KeyValue, ...]:
    # py-consul gives None where there are no keys. Anything else that is no list must not look as if all were deleted.
    found = msgspec.convert([] if rows is None else rows, list[_Row])
    # The agent's own pages make folders: keys that end in a slash and hold nothing.
    keys = (row for row in found if not row.key.endswith("/"))
    return tuple(KeyValue(key=row.key, value=row.value or b"", modify_index=row.modify_index) for row in keys)
