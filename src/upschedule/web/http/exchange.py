"""State of one request and its answer, kept in the ASGI scope until the answer has been sent."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from upschedule.settings import Settings

_KEY = "upschedule.exchange"


@dataclass(kw_only=True)
class Exchange:
    """Ids for logs, the settings of the request, and headers for any answer: a limit's state, a renewed cookie."""

    request_id: str
    #: The live settings at the beginning of the request: all of it works with the same values.
    settings: Settings
    account_id: str | None = None
    job_id: str | None = None
    #: The answer is an intended 5xx: it asks the client to retry later, as back-pressure does.
    back_pressure: bool = False
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])

    def add_header(self, name: str, value: str) -> None:
        self.headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))

    def ids(self) -> dict[str, str]:
        """The known ids, under the names that logs use."""
        ids = {"request_id": self.request_id, "account_id": self.account_id, "job_id": self.job_id}
        return {name: value for name, value in ids.items() if value is not None}


def begin(scope: MutableMapping[str, Any], request_id: str, settings: Settings) -> Exchange:
    """Called once for each request, by the boundary."""
    exchange = scope[_KEY] = Exchange(request_id=request_id, settings=settings)
    return exchange


def exchange_of(scope: Mapping[str, Any]) -> Exchange:
    """The exchange of a request that came through the boundary."""
    exchange: Exchange = scope[_KEY]
    return exchange


def settings_of(scope: Mapping[str, Any]) -> Settings:
    """The live settings at the beginning of the request."""
    return exchange_of(scope).settings
