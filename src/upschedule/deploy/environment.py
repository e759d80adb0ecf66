"""Where Nomad and Consul are, by the environment variables of their own command lines."""

from collections.abc import Callable, Mapping

from upschedule.deploy.clock import Clock
from upschedule.deploy.cluster import Cluster
from upschedule.deploy.consul import Consul
from upschedule.deploy.http import Endpoint
from upschedule.deploy.nomad import Nomad

_NAMESPACE = "upschedule"


def cluster_of(environment: Mapping[str, str], *, clock: Clock, say: Callable[[str], None]) -> Cluster:
    """Opens nothing."""
    nomad = _endpoint(
        environment, "Nomad", environment.get("NOMAD_ADDR", "http://127.0.0.1:4646"), "NOMAD", variable="NOMAD_TOKEN"
    )
    address = environment.get("CONSUL_HTTP_ADDR", "127.0.0.1:8500")
    if "://" not in address:
        secure = environment.get("CONSUL_HTTP_SSL", "").lower() in {"1", "true"}
        address = f"{'https' if secure else 'http'}://{address}"
    return Cluster(
        nomad=Nomad(nomad, namespace=environment.get("NOMAD_NAMESPACE", _NAMESPACE)),
        consul=Consul(_endpoint(environment, "Consul", address, "CONSUL", variable="CONSUL_HTTP_TOKEN")),
        clock=clock,
        say=say,
    )


def _endpoint(environment: Mapping[str, str], name: str, address: str, prefix: str, *, variable: str) -> Endpoint:
    secret = environment.get(variable, "")
    return Endpoint(
        name=name,
        address=address,
        headers={f"X-{name}-Token": secret} if secret else {},
        ca_file=environment.get(f"{prefix}_CACERT"),
        certificate_file=environment.get(f"{prefix}_CLIENT_CERT"),
        key_file=environment.get(f"{prefix}_CLIENT_KEY"),
    )
