"""Reads the checks of instances from Consul, through py-consul with timeouts and bounded retries."""

import re
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

import consul  # pyright: ignore[reportMissingTypeStubs] - py-consul has annotations but no marker
import msgspec
from msgspec import field
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from upschedule.deploy.errors import ServerRefused, ServerUnreachable
from upschedule.deploy.http import CONNECT_SECONDS, PATIENT, READ_SECONDS, reason_of
from upschedule.deploy.nomad_model import Allocation, Job

_ALLOCATION = re.compile(r"^_nomad-task-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-")
_CANARY_TAG = "canary"
#: What a call of the client raises: py-consul's own errors, and those of `requests`, which are OSErrors.
ConsulErrors = (consul.ConsulException, OSError)


def consul_client(
    address: str,
    token: str,
    *,
    ca_file: str | None = None,
    certificate: str | tuple[str, str] | None = None,
    retries: Retry = PATIENT,
    read_seconds: float = READ_SECONDS,
) -> Any:
    """A `consul.Consul` for the server at `address` (URL), with a timeout and bounded retries for each call.

    py-consul and `requests` otherwise prefer environment variables to arguments: CONSUL_HTTP_TOKEN to `token`, and
    a proxy to the direct way. Without `ca_file`, the system's authorities are trusted. Raises ServerUnreachable for
    another kind of address.
    """
    parts = _parts(address)
    system = ssl.get_default_verify_paths()
    host = parts.hostname or ""
    timeouts: Any = (CONNECT_SECONDS, read_seconds)
    client: Any = consul.Consul(
        host=f"[{host}]" if ":" in host else host,
        port=parts.port or (443 if parts.scheme == "https" else 80),
        scheme=parts.scheme,
        verify=ca_file or system.cafile or system.capath or True,
        cert=certificate,
        connections_timeout=timeouts,
    )
    client.token = token
    client.http.session.trust_env = False
    # A redirect would take the token to another server.
    client.http.session.max_redirects = 0
    client.http.session.get_adapter(client.http.base_uri).max_retries = retries
    return client


def _parts(address: str) -> SplitResult:
    with suppress(ValueError):
        parts = urlsplit(address)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.path in {"", "/"} and parts.port != 0:
            return parts
    raise ServerUnreachable(f"Consul at {address}", "an address is http://HOST:PORT or https://HOST:PORT")


class ConsulCheck(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`output` is the answer of the instance."""

    name: str
    status: str
    output: str = ""

    @property
    def is_passing(self) -> bool:
        return self.status == "passing"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """An instance under one of its service names."""

    service: str
    checks: tuple[ConsulCheck, ...]


class _Service(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str = field(name="ID")
    address: str = ""
    port: int = 0
    tags: list[str] | None = None


class _Node(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    address: str = ""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    service: _Service
    checks: list[ConsulCheck]
    node: _Node = _Node()


#: Registrations by the id of Nomad's allocation.
Registrations = Mapping[str, tuple[Registration, ...]]


class ConsulHealth:
    """Reads service health. Raises ServerUnreachable and ServerRefused."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def registrations(self, services: Iterable[str]) -> Registrations:
        """A token that may not read a service or its node sees nothing of it."""
        found: dict[str, tuple[Registration, ...]] = {}
        for service in services:
            for entry in self._entries(service):
                if allocation := _ALLOCATION.match(entry.service.id):
                    registration = Registration(service=service, checks=tuple(entry.checks))
                    found[allocation[1]] = (*found.get(allocation[1], ()), registration)
        return found

    def addresses(self, service: str) -> list[str]:
        """The URLs of the healthy instances of a service, without canaries."""
        return [
            f"http://{_authority(entry.service.address or entry.node.address, entry.service.port)}"
            for entry in self._entries(service)
            if _CANARY_TAG not in (entry.service.tags or []) and all(check.is_passing for check in entry.checks)
        ]

    def _entries(self, service: str) -> list[_Entry]:
        try:
            _, entries = self._client.health.service(service)
            return msgspec.convert(entries, list[_Entry])
        except consul.ACLPermissionDenied as error:
            raise ServerRefused("Consul", f"the health of {service}", 403, str(error)) from error
        except (*ConsulErrors, msgspec.ValidationError) as error:
            raise ServerUnreachable(f"Consul at {self._client.http.base_uri}", _reason(error)) from error


class ConsulKeyWriter:
    """Writes keys with the token of an operator, over a client of py-consul."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def write(self, key: str, value: bytes) -> None:
        """Raises ServerUnreachable."""
        try:
            written = self._client.kv.put(key, value)
        except ConsulErrors as error:
            raise ServerUnreachable(f"Consul at {self._client.http.base_uri}", _reason(error)) from error
        if not written:
            raise ServerUnreachable(f"Consul at {self._client.http.base_uri}", "it did not take the key")


class NoConsul(ConsulHealth):
    """For programs whose decisions must not depend on Consul: it has no registrations, so no check explains one."""

    def __init__(self) -> None:
        super().__init__(None)

    def registrations(self, services: Iterable[str]) -> Registrations:  # noqa: ARG002 - the base class's argument
        """Returns no registrations."""
        return {}


def instance_checks(health: ConsulHealth, job: Job, instances: Iterable[Allocation]) -> dict[str, list[str]]:
    """The failing checks by allocation id; empty lists for healthy instances."""
    registered = health.registrations(job.services)
    return {each.id: failing_checks(registered.get(each.id, ()), job.services) for each in instances}


def failing_checks(registrations: Iterable[Registration], services: Iterable[str]) -> list[str]:
    """A sentence for each check that does not pass and each service name that is not registered."""
    known = list(registrations)
    missing = sorted(set(services) - {registration.service for registration in known})
    return [
        *(f"is not registered in Consul as {service}" for service in missing),
        *(
            f"check {check.name!r} of {registration.service} is {check.status}: {_first_line(check.output)}"
            for registration in known
            for check in registration.checks
            if not check.is_passing
        ),
    ]


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: Exception) -> object:
    """The cause alone, where `requests` wraps an error of urllib3."""
    cause = error.args[0] if error.args else error
    return reason_of(cause) if isinstance(cause, HTTPError) else error


def _first_line(output: str) -> str:
    return (output.strip().splitlines() or ["no output yet"])[0][:300]
