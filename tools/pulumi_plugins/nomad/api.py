"""Nomad's HTTP API."""

import json
import os
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

CONNECT_SECONDS = 5
ANSWER_SECONDS = 60
# Only what never reached Nomad, or changes nothing there, is tried again.
RETRIES = urllib3.Retry(
    total=4, read=0, backoff_factor=0.2, backoff_jitter=0.2, status_forcelist={502, 503, 504}, allowed_methods={"GET"}
)


class NomadError(Exception):
    """The sentence is for the operator."""


class NomadUnreachableError(NomadError):
    """No answer at all."""


class NomadRefusedError(NomadError):
    """An answer that is not a success; `status` is its number, `reason` Nomad's own words."""

    def __init__(self, method: str, path: str, status: int, reason: str) -> None:
        super().__init__(f"Nomad answered {status} to {method} {path}: {reason}")
        self.status = status
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where Nomad is, and who we are there; files are paths of PEM files."""

    address: str
    token: str | None = None
    region: str | None = None
    authority_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    @classmethod
    def of(cls, configured: dict[str, Any]) -> "Connection":
        """What the provider's configuration leaves open comes from Nomad's own environment variables."""

        def value(name: str, variable: str) -> str | None:
            return configured.get(name) or os.environ.get(variable) or None

        return cls(
            address=(value("address", "NOMAD_ADDR") or "http://127.0.0.1:4646").rstrip("/"),
            token=value("secretId", "NOMAD_TOKEN"),
            region=value("region", "NOMAD_REGION"),
            authority_file=value("caFile", "NOMAD_CACERT"),
            certificate_file=value("certFile", "NOMAD_CLIENT_CERT"),
            key_file=value("keyFile", "NOMAD_CLIENT_KEY"),
        )


class Nomad:
    """Safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
            retries=RETRIES,
            maxsize=16,
            ca_certs=connection.authority_file,
            cert_file=connection.certificate_file,
            key_file=connection.key_file,
        )

    def get(self, *path: str, **query: str) -> Any:
        return self.call("GET", *path, **query)

    def find(self, *path: str, **query: str) -> Any:
        """None where Nomad has nothing of that name."""
        try:
            return self.get(*path, **query)
        except NomadRefusedError as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def remove(self, *path: str, **query: str) -> None:
        """What is gone already is no error."""
        try:
            self.call("DELETE", *path, **query)
        except NomadRefusedError as refused:
            if refused.status != HTTPStatus.NOT_FOUND:
                raise

    def call(self, method: str, *path: str, body: Any = None, **query: str) -> Any:
        """Each part of the path is escaped. Raises NomadError."""
        target = "/v1/" + "/".join(quote(part, safe="") for part in path)
        region = {"region": self._connection.region} if self._connection.region else {}
        url = f"{self._connection.address}{target}?{urlencode({**query, **region})}"
        headers = {"X-Nomad-Token": self._connection.token} if self._connection.token else {}
        try:
            answer = self._pool.request(method, url, json=body, headers=headers)
        except urllib3.exceptions.HTTPError as failure:
            reason = getattr(failure, "reason", None) or failure
            raise NomadUnreachableError(f"No answer from Nomad at {self._connection.address}: {reason}") from None
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise NomadRefusedError(method, target, answer.status, answer.data.decode(errors="replace").strip())
        return json.loads(answer.data) if answer.data else None
