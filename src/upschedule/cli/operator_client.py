"""Finds a scheduler for `upschedule ops`, gets the operators' token and sends requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from upschedule.deploy.environment import NAMESPACE, consul_from
from upschedule.deploy.errors import DeployError, ServerRefused, ServerUnreachable
from upschedule.deploy.http import BRIEF, Endpoint, JsonClient
from upschedule.deploy.nomad import NomadClient, nomad_endpoint
from upschedule.deploy.probe.metrics import Prometheus

T = TypeVar("T")

#: Of the Nomad Variable that operators may read.
VARIABLE = ("operators", "ops")
# Above the longest answer that the scheduler gives by default.
_READ_SECONDS = 15.0


class NothingFound(DeployError):
    """What is needed to reach a scheduler could not be found; the text says what to do."""


class _Items(msgspec.Struct, frozen=True, kw_only=True):
    token: str


class _Variable(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    items: _Items


@dataclass(frozen=True, kw_only=True)
class OperatorClient:
    """Asks one scheduler. Raises ServerUnreachable and ServerRefused."""

    client: JsonClient

    def ask(self, path: str, kind: type[T]) -> tuple[bytes, T]:
        """The answer as it came, and as `kind`."""
        data = self.client.request("GET", f"ops/{path}")
        return data, self.client.decode(data, kind)

    def change(self, path: str, kind: type[T], *, operator: str, reason: str) -> tuple[bytes, T]:
        """Like `ask`, but never repeats a change that was sent."""
        body: Any = {"operator": operator, "reason": reason}
        data = self.client.request("POST", f"ops/{path}", body=body)
        return data, self.client.decode(data, kind)


def operator_client(environment: Mapping[str, str], *, address: str, token: str) -> OperatorClient:
    """A client of the scheduler at `address`, or of the first that answers of those that Consul names.

    Without `token` it is read from Nomad. Raises DeployError.
    """
    secret = token or _token(environment)
    addresses = [address] if address else consul_from(environment).addresses("scheduler")
    if not addresses:
        raise NothingFound(
            "Consul names no healthy scheduler: `upschedule deploy status` shows what its instances do. "
            "A token that may not read the service `scheduler` sees none, either."
        )
    silent: ServerUnreachable | None = None
    for each in addresses:
        client = JsonClient(_endpoint(each, secret), retries=BRIEF, read_seconds=_READ_SECONDS)
        try:
            client.request("GET", "health/live")
        except ServerUnreachable as error:
            silent = error
        except ServerRefused as error:
            silent = ServerUnreachable(f"The scheduler at {each}", error.reason)
        else:
            return OperatorClient(client=client)
    raise silent or NothingFound("No scheduler was asked.")


def prometheus_client(environment: Mapping[str, str], address: str) -> Prometheus | None:
    """Prometheus at `address`, or the one that Consul names; None if there is none. Raises DeployError."""
    addresses = [address] if address else consul_from(environment).addresses("prometheus")
    return Prometheus(Endpoint(name="Prometheus", address=addresses[0])) if addresses else None


def problem_of(error: ServerRefused) -> str | None:
    """The sentence of a problem document (RFC 9457); None where the answer is none."""
    try:
        return msgspec.json.decode(error.text, type=_Problem).detail
    except msgspec.MsgspecError:
        return None


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    detail: str


def _endpoint(address: str, token: str) -> Endpoint:
    return Endpoint(name="The scheduler", address=address, headers={"Authorization": f"Bearer {token.strip()}"})


def _token(environment: Mapping[str, str]) -> str:
    nomad = NomadClient(
        nomad_endpoint(environment), query={"namespace": environment.get("NOMAD_NAMESPACE", NAMESPACE)}, retries=BRIEF
    )
    path = "/".join(VARIABLE)
    found: Any = nomad.find("var", path)
    if found is None:
        raise NothingFound(f"Nomad has no variable {path}: bring the stack to this release with `pulumi up` first.")
    try:
        return msgspec.convert(found, _Variable).items.token
    except msgspec.ValidationError as error:
        raise NothingFound(f"Nomad's variable {path} has no item `token`: `pulumi up` writes it.") from error
