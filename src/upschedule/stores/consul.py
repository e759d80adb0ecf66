"""Keys of Consul below a prefix, read by blocking queries: an answer comes when something has changed."""

import asyncio
from http import HTTPStatus
from typing import Self

import httpx
import msgspec

from upschedule.stores.errors import StoreTimeout, StoreUnavailable

_STORE = "consul"
# An agent adds up to a sixteenth to the wait, so that not everybody asks again at once.
_AGENT_JITTER = 1 + 1 / 16


class KeyValue(msgspec.Struct, frozen=True, kw_only=True):
    """One key. `modify_index` tells its present value from every earlier one."""

    key: str
    value: bytes
    modify_index: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """All keys there are, and the index to ask for what comes after them."""

    index: int
    entries: tuple[KeyValue, ...]


class ConsulOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`wait_seconds`: how long the agent may hold a question; `request_seconds`: how late it may then be."""

    address: str
    token: str | None
    wait_seconds: float
    request_seconds: float
    answer_bytes_max: int


class _Row(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    key: str
    value: bytes | None
    modify_index: int


class ConsulKeys:
    """One client for the process. Opens nothing before the first question."""

    def __init__(self, options: ConsulOptions, *, prefix: str) -> None:
        self._options = options
        self._path = f"/v1/kv/{prefix}"
        self._client = httpx.AsyncClient(
            base_url=options.address,
            headers={"X-Consul-Token": options.token} if options.token else None,
            timeout=options.request_seconds,
            # No proxy of the environment stands between a process and the agent beside it.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def read(self, *, after: int = 0) -> Answer:
        """Waits until something is newer than `after`; with 0, answers at once. Raises StoreError."""
        held_seconds = self._options.wait_seconds * _AGENT_JITTER if after else 0.0
        question = {"recurse": "true"}
        if after:
            question |= {"index": str(after), "wait": f"{self._options.wait_seconds:g}s"}
        try:
            async with asyncio.timeout(held_seconds + 2 * self._options.request_seconds):
                return await self._ask(question, silence_seconds=held_seconds + self._options.request_seconds)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise StoreTimeout(_STORE, type(error).__name__) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise StoreUnavailable(_STORE, type(error).__name__) from error

    async def _ask(self, question: dict[str, str], *, silence_seconds: float) -> Answer:
        timeout = httpx.Timeout(self._options.request_seconds, read=silence_seconds)
        async with self._client.stream("GET", self._path, params=question, timeout=timeout) as response:
            body = await self._bounded(response)
        if response.status_code not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise StoreUnavailable(_STORE, f"status {response.status_code}")
        if response.headers.get("X-Consul-Results-Filtered-By-ACLs") == "true":
            # What a token may not see looks deleted otherwise.
            raise StoreUnavailable(_STORE, "the token may not read these keys")
        return _answer(response, body)

    async def _bounded(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._options.answer_bytes_max:
                raise StoreUnavailable(_STORE, f"an answer above {self._options.answer_bytes_max} bytes")
        return bytes(body)


def following(before: int, answered: int) -> int:
    """The index to ask for next; 0, so for all at once, where Consul's own went back: it was restored or is new."""
    return answered if answered >= max(before, 1) else 0


def _answer(response: httpx.Response, body: bytes) -> Answer:
    try:
        index = int(response.headers.get("X-Consul-Index", "0"))
        found = msgspec.json.decode(body, type=list[_Row]) if response.status_code == HTTPStatus.OK else []
    except ValueError as error:
        raise StoreUnavailable(_STORE, type(error).__name__) from error
    # The agent's own pages make folders: keys that end in a slash and hold nothing.
    rows = (row for row in found if not row.key.endswith("/"))
    entries = (KeyValue(key=row.key, value=row.value or b"", modify_index=row.modify_index) for row in rows)
    return Answer(index=index, entries=tuple(entries))
