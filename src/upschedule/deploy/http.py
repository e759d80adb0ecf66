"""JSON over HTTP. Every request has a timeout; reading is tried again for a few seconds while a server is away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from upschedule.deploy.errors import ServerRefused, ServerUnreachable

T = TypeVar("T")
_TIMEOUT = urllib3.Timeout(connect=3, read=10)
#: A new leader is elected within seconds. What changes something is repeated only while no connection was made.
_PATIENT = Retry(
    total=5,
    allowed_methods=("GET",),
    status_forcelist=(500, 502, 503, 504),
    backoff_factor=0.5,
    backoff_jitter=0.5,
    backoff_max=5,
    raise_on_status=False,
    respect_retry_after_header=False,
    redirect=0,
)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """`name` is for sentences. The files are for servers with certificates of their own; None: the system's."""

    name: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    def pool(self) -> urllib3.PoolManager:
        """Knows no proxy: what is talked to is inside."""
        return urllib3.PoolManager(
            ca_certs=self.ca_file, cert_file=self.certificate_file, key_file=self.key_file, timeout=_TIMEOUT
        )


class JsonClient:
    """Raises ServerUnreachable and ServerRefused."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._pool = endpoint.pool()

    def get(self, path: str, kind: type[T], **query: str) -> T:
        """The answer as `kind`."""
        return self._decoded(self._ask("GET", path, query=query), kind)

    def put(self, path: str, body: Any, kind: type[T]) -> T:
        """Changes something."""
        return self._decoded(self._ask("PUT", path, body=msgspec.json.encode(body)), kind)

    def text(self, path: str, **query: str) -> str:
        """An answer that is no JSON; asked for once."""
        return self._ask("GET", path, query=query, retries=Retry(0)).decode(errors="replace")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        retries: Retry = _PATIENT,
    ) -> bytes:
        url = f"{self._endpoint.address.rstrip('/')}/{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._pool.request(method, url, body=body, headers=self._endpoint.headers, retries=retries)
        except HTTPError as error:
            raise ServerUnreachable(f"{self._endpoint.name} at {self._endpoint.address}", reason_of(error)) from error
        if answer.status != HTTPStatus.OK:
            text = answer.data.decode(errors="replace")
            raise ServerRefused(self._endpoint.name, f"{method} {path}", answer.status, text)
        return answer.data

    def _decoded(self, data: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.MsgspecError as error:
            raise ServerUnreachable(self._endpoint.name, error) from error


def reason_of(error: HTTPError) -> str:
    """What happened, without the addresses of the objects that it happened to."""
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return str(cause).partition("): ")[2] or str(cause)
