"""Consul, with a token that reads health: the checks of each instance."""

import re
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import field

from upschedule.deploy.http import Endpoint, JsonClient

_ALLOCATION = re.compile(r"^_nomad-task-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-")


class Check(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`output` is what the instance answered."""

    name: str
    status: str
    output: str = ""

    @property
    def is_passing(self) -> bool:
        return self.status == "passing"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """An instance under one of its names."""

    service: str
    checks: tuple[Check, ...]


class _Service(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str = field(name="ID")


class _Entry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    service: _Service
    checks: list[Check]


#: Registrations by the id of Nomad's allocation.
Registrations = Mapping[str, tuple[Registration, ...]]


class Consul:
    """Raises ServerUnreachable and ServerRefused."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = JsonClient(endpoint)

    def registrations(self, services: Iterable[str]) -> Registrations:
        """A token that may not read a service or its node sees nothing of it."""
        found: dict[str, tuple[Registration, ...]] = {}
        for service in services:
            for entry in self._client.get(f"v1/health/service/{service}", list[_Entry]):
                if named := _ALLOCATION.match(entry.service.id):
                    registration = Registration(service=service, checks=tuple(entry.checks))
                    found[named[1]] = (*found.get(named[1], ()), registration)
        return found


def complaints(registrations: Iterable[Registration], services: Iterable[str]) -> list[str]:
    """A sentence for each check that does not pass and each name that is not registered."""
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


def _first_line(output: str) -> str:
    return (output.strip().splitlines() or ["no output yet"])[0][:300]
