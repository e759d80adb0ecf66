"""Requests JSON over HTTP, with a timeout for each request and a bounded number of retries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError
from urllib3.util import Retry

from upschedule.deploy.errors import ServerRefused, ServerUnreachable

T = TypeVar("T")
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
#: For commands that follow a release: a cluster elects a new leader within seconds. Retries without a connection apply
#: to every method; all other retries are limited to GET, which changes nothing.
PATIENT = Retry(
    total=5,
    other=0,
    allowed_methods=("GET",),
    status_forcelist=(500, 502, 503, 504),
    backoff_factor=0.5,
    backoff_jitter=0.5,
    backoff_max=5,
    raise_on_status=False,
    respect_retry_after_header=False,
    redirect=0,
)
#: For programs that repeat their requests themselves or have to fail soon: repeats only requests that were not sent.
BRIEF = PATIENT.new(total=4, read=0, status_forcelist=(502, 503, 504), backoff_factor=0.2, backoff_jitter=0.2)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A server: `name` appears in error texts, `headers` carry the token.

    The files are PEM files for servers with their own certificate authority; None selects the system's.
    """

    name: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    def pool(self, *, read_seconds: float = READ_SECONDS) -> urllib3.PoolManager:
        """A connection pool for several threads, without a proxy: the servers are inside the network."""
        return urllib3.PoolManager(
            ca_certs=self.ca_file,
            cert_file=self.certificate_file,
            key_file=self.key_file,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            maxsize=16,
        )


class JsonClient:
    """Raises ServerUnreachable and ServerRefused."""

    def __init__(self, endpoint: Endpoint, *, retries: Retry = PATIENT, read_seconds: float = READ_SECONDS) -> None:
        self._endpoint = endpoint
        self._retries = retries
        self._pool = endpoint.pool(read_seconds=read_seconds)

    def get(self, path: str, kind: type[T], **query: str) -> T:
        """The answer as `kind`."""
        return self.decode(self.request("GET", path, query=query), kind)

    def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None, retry: bool = True
    ) -> bytes:
        """The answer's body as it came."""
        if not self._endpoint.address.startswith(("http://", "https://")):
            raise ServerUnreachable(self._server, "an address is http://HOST:PORT or https://HOST:PORT")
        url = f"{self._endpoint.address.rstrip('/')}/{path}" + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else msgspec.json.encode(body)
        retries = self._retries if retry else Retry(0)
        try:
            answer = self._pool.request(method, url, body=content, headers=self._endpoint.headers, retries=retries)
        except HTTPError as error:
            raise ServerUnreachable(self._server, reason_of(error)) from error
        except ValueError:
            # The text of the error holds the token.
            raise ServerUnreachable(self._server, "a header, most likely the token, has a character too many") from None
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            text = answer.data.decode(errors="replace")
            raise ServerRefused(self._endpoint.name, f"{method} {path}", answer.status, text)
        return answer.data

    def decode(self, data: bytes, kind: type[T]) -> T:
        """Raises ServerUnreachable for other content: such an answer says nothing."""
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServerUnreachable(self._server, error) from error

    @property
    def _server(self) -> str:
        return f"{self._endpoint.name} at {self._endpoint.address}"


def reason_of(error: HTTPError) -> str:
    """The cause, without the addresses of Python objects."""
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, ProtocolError) and len(cause.args) > 1:
        return str(cause.args[1])
    return str(cause).partition("): ")[2] or str(cause)
