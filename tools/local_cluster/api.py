"""The HTTP APIs of Consul and Nomad: JSON there and back."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 15
# Without the environment's proxies: the address is our own.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ApiError(Exception):
    """What the server refused; `status` is 0 where there was no answer."""

    def __init__(self, question: str, status: int, reason: str) -> None:
        super().__init__(f"{question}: {reason} ({status})" if status else f"{question}: {reason}")
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Api:
    """`header` carries the token."""

    url: str
    header: str
    token: str

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """The decoded answer, None where there is none. Raises ApiError."""
        content = self.text(method, path, body, **query)
        return json.loads(content) if content.strip() else None

    def text(self, method: str, path: str, body: object = None, **query: str) -> str:
        """The answer as it came. Raises ApiError."""
        data = None if body is None else json.dumps(body).encode()
        address = f"{self.url}/v1/{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(address, data=data, method=method)  # noqa: S310 - our own agents' address
        request.add_header(self.header, self.token)
        try:
            with OPENER.open(request, timeout=ANSWER_SECONDS) as answer:
                return answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            raise ApiError(f"{method} {path}", error.code, error.read().decode(errors="replace").strip()) from error
        except OSError as error:
            raise ApiError(f"{method} {path}", 0, str(error)) from error


def consul(url: str, token: str) -> Api:
    return Api(url=url, header="X-Consul-Token", token=token)


def nomad(url: str, token: str) -> Api:
    return Api(url=url, header="X-Nomad-Token", token=token)
