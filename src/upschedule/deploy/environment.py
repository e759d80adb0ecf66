"""The cluster that a command works on, from the environment variables of Nomad's and Consul's command lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from upschedule.deploy.clock import Clock
from upschedule.deploy.consul import ConsulHealth, consul_client
from upschedule.deploy.nomad import NomadClient, nomad_endpoint

#: In the order of promotion: workers before the API that sends them work, so that no old worker reads a new message.
JOBS = ("worker", "scheduler", "api")
API = "api"
_NAMESPACE = "upschedule"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """`report` prints a line."""

    nomad: NomadClient
    consul: ConsulHealth
    clock: Clock
    report: Callable[[str], None]


def cluster_from(environment: Mapping[str, str], *, clock: Clock, report: Callable[[str], None]) -> Cluster:
    """Opens no connection yet."""
    namespace = environment.get("NOMAD_NAMESPACE", _NAMESPACE)
    return Cluster(
        nomad=NomadClient(nomad_endpoint(environment), query={"namespace": namespace}),
        consul=_consul_from(environment),
        clock=clock,
        report=report,
    )


def _consul_from(environment: Mapping[str, str]) -> ConsulHealth:
    address = environment.get("CONSUL_HTTP_ADDR") or "127.0.0.1:8500"
    if "://" not in address:
        secure = environment.get("CONSUL_HTTP_SSL", "").lower() in {"1", "true"}
        address = f"{'https' if secure else 'http'}://{address}"
    certificate, key = environment.get("CONSUL_CLIENT_CERT"), environment.get("CONSUL_CLIENT_KEY")
    client = consul_client(
        address,
        environment.get("CONSUL_HTTP_TOKEN", ""),
        ca_file=environment.get("CONSUL_CACERT"),
        certificate=(certificate, key) if certificate and key else certificate,
    )
    return ConsulHealth(client)
