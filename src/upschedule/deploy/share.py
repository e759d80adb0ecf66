"""Sets the shares of live work that canaries get: one Nomad Variable for the visitors, one for the documents."""

from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

import msgspec

from upschedule.deploy.errors import DeployError, ServerUnreachable
from upschedule.deploy.nomad import NomadClient


class _Port(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    label: str
    value: int
    host_ip: str = msgspec.field(name="HostIP")


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """`instance` is the canary's allocation, `address` its HOST:PORT.

    The canary itself refuses the share when it is another instance, and after `until`, in seconds since 1970: so a
    share that is left behind expires and never applies to another release.
    """

    instance: str
    address: str
    percent: int
    until: int
    since: int


class DocumentShare(msgspec.Struct, frozen=True, kw_only=True):
    """`instance` is the allocation of the worker's canary.

    Another instance ignores the share, and the canary itself after `until`, in seconds since 1970.
    """

    instance: str
    percent: int
    until: int
    since: int


S = TypeVar("S", Share, DocumentShare)


def address_of(nomad: NomadClient, instance: str) -> str:
    """HOST:PORT of the allocation's port `http`. Raises ServerUnreachable and ServerRefused."""
    found = nomad.get("allocation", instance)
    try:
        ports = msgspec.convert(found["AllocatedResources"]["Shared"]["Ports"], list[_Port])
        (port,) = (each for each in ports if each.label == "http")
    except (msgspec.ValidationError, KeyError, ValueError, TypeError) as error:
        raise ServerUnreachable("Nomad", f"instance {instance} has no port `http`") from error
    return f"{port.host_ip}:{port.value}"


class _Variable(Generic[S]):
    """Raises ServerUnreachable and ServerRefused. Consul is not needed."""

    #: The variable of a group, which the job's own identity may read.
    path: ClassVar[str]
    _kind: type[S]

    def __init__(self, nomad: NomadClient) -> None:
        self._nomad = nomad

    def read(self) -> S | None:
        """None while no share is set."""
        found = self._nomad.find("var", *self._parts)
        try:
            return msgspec.convert(found["Items"], self._kind, strict=False) if found else None
        except (msgspec.ValidationError, KeyError) as error:
            raise ServerUnreachable("Nomad", error) from error

    def write(self, share: S) -> None:
        """Takes effect within a second or two, without a restart."""
        items = {name: str(value) for name, value in msgspec.structs.asdict(share).items()}
        self._nomad.call("PUT", "var", *self._parts, body={"Path": self.path, "Items": items})

    def remove(self) -> None:
        """Removes the share; also succeeds if there is none."""
        self._nomad.delete("var", *self._parts)

    @property
    def _parts(self) -> list[str]:
        return self.path.split("/")


class ShareVariable(_Variable[Share]):
    """The API canary's share of the visitors, which Traefik's routes follow (jobs/traefik/routes.yml.tpl)."""

    path = "nomad/jobs/traefik/traefik"
    _kind = Share


class DocumentShareVariable(_Variable[DocumentShare]):
    """The worker canary's share of the documents, which it reads from a template (jobs/background.nomad.hcl)."""

    path = "nomad/jobs/worker/worker"
    _kind = DocumentShare


def remove_shares(nomad: NomadClient, report: Callable[[str], None]) -> None:
    """Prints a line for each that cannot be removed: a share expires, and a leftover costs little.

    Call it also before a change: a command that was killed has left its variables, and Traefik would ask that canary
    again after each change of the routes, until its first check.
    """
    for variable, of in ((ShareVariable(nomad), "visitors"), (DocumentShareVariable(nomad), "documents")):
        try:
            variable.remove()
        except DeployError as error:
            report(
                f"The canary's share of the {of}, if one is set, is not removed: {error}. It ends within a minute "
                "without any action."
            )
