"""The share of real visitors that a canary of the API gets: one variable of Nomad, which Traefik's routes follow."""

from collections.abc import Callable

import msgspec

from upschedule.deploy.errors import DeployError, ServerUnreachable
from upschedule.deploy.nomad import NomadClient

#: The variable of Traefik's group, which the job's own identity may read (jobs/traefik/routes.yml.tpl).
_PATH = ("nomad", "jobs", "traefik", "traefik")
_TEXT = "/".join(_PATH)


class _Port(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    label: str
    value: int
    host_ip: str = msgspec.field(name="HostIP")


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """`instance` is the canary's allocation, `address` its HOST:PORT.

    The canary itself refuses the share when it is another instance, and after `until`, in seconds since 1970: so a
    share that is left behind ends by itself and never applies to another release.
    """

    instance: str
    address: str
    percent: int
    until: int
    since: int


def address_of(nomad: NomadClient, instance: str) -> str:
    """HOST:PORT of the allocation's port `http`. Raises ServerUnreachable and ServerRefused."""
    found = nomad.get("allocation", instance)
    try:
        ports = msgspec.convert(found["AllocatedResources"]["Shared"]["Ports"], list[_Port])
        (port,) = (each for each in ports if each.label == "http")
    except (msgspec.ValidationError, KeyError, ValueError, TypeError) as error:
        raise ServerUnreachable("Nomad", f"instance {instance} has no port `http`") from error
    return f"{port.host_ip}:{port.value}"


class ShareVariable:
    """Raises ServerUnreachable and ServerRefused. Consul is not needed."""

    def __init__(self, nomad: NomadClient) -> None:
        self._nomad = nomad

    def read(self) -> Share | None:
        """None while no share is set."""
        found = self._nomad.find("var", *_PATH)
        try:
            return msgspec.convert(found["Items"], Share, strict=False) if found else None
        except (msgspec.ValidationError, KeyError) as error:
            raise ServerUnreachable("Nomad", error) from error

    def write(self, share: Share) -> None:
        """Traefik follows within a second or two, without a restart."""
        items = {name: str(value) for name, value in msgspec.structs.asdict(share).items()}
        self._nomad.call("PUT", "var", *_PATH, body={"Path": _TEXT, "Items": items})

    def remove(self) -> None:
        """Also succeeds when there is none."""
        self._nomad.delete("var", *_PATH)


def remove_share(nomad: NomadClient, report: Callable[[str], None]) -> None:
    """Prints a line where that fails: the share ends by itself, and what remains costs little.

    Call it also before a change: a command that was killed has left its variable, and Traefik would ask that canary
    again after each change of the routes, until its first check.
    """
    try:
        ShareVariable(nomad).remove()
    except DeployError as error:
        report(
            f"The canary's share, if one is set, is not removed: {error}. It ends within a minute without any action."
        )
