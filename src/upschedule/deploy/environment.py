"""Finds the cluster that a command works on, by the environment variables of Nomad's and Consul's command lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from upschedule.deploy.clock import Clock
from upschedule.deploy.consul import ConsulHealth, ConsulKeyWriter, consul_client
from upschedule.deploy.errors import InvalidVariable
from upschedule.deploy.nomad import NomadClient, nomad_endpoint
from upschedule.deploy.records.recorder import RECORDS_MIN, Recorder

#: In the order of promotion: workers before the API that sends them work, so that no old worker reads a new message.
JOBS = ("worker", "scheduler", "api")
API, WORKER = "api", "worker"
#: How many records of releases Nomad keeps, unless the command says otherwise.
RECORDS_MAX = 10
RECORDS_MAX_VARIABLE = "UPSCHEDULE_DEPLOY_RECORDS_MAX"
#: As long as a server's restart may take, unless the command says otherwise.
SILENCE_SECONDS = 300.0
NAMESPACE = "upschedule"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """`report` prints a line. `silence_seconds` is how long a command that has begun waits for a silent server."""

    nomad: NomadClient
    records: Recorder
    consul: ConsulHealth
    clock: Clock
    report: Callable[[str], None]
    silence_seconds: float = SILENCE_SECONDS


def cluster_from(
    environment: Mapping[str, str],
    *,
    clock: Clock,
    report: Callable[[str], None],
    records_max: int = RECORDS_MAX,
    silence_seconds: float = SILENCE_SECONDS,
) -> Cluster:
    """Opens no connection yet."""
    nomad = nomad_from(environment)
    return Cluster(
        nomad=nomad,
        records=Recorder(nomad, jobs=JOBS, records_max=records_max),
        consul=consul_from(environment),
        clock=clock,
        report=report,
        silence_seconds=silence_seconds,
    )


def nomad_from(environment: Mapping[str, str], kind: type[NomadClient] = NomadClient) -> NomadClient:
    """Nomad as the environment variables of its own command line name it."""
    namespace = environment.get("NOMAD_NAMESPACE", NAMESPACE)
    return kind(nomad_endpoint(environment), query={"namespace": namespace})


def records_max_from(environment: Mapping[str, str]) -> int:
    """The number of records for programs without the option, from the same variable. Raises InvalidVariable."""
    text = environment.get(RECORDS_MAX_VARIABLE) or str(RECORDS_MAX)
    if not text.isdecimal() or int(text) < RECORDS_MIN:
        raise InvalidVariable(RECORDS_MAX_VARIABLE, f"a whole number, at least {RECORDS_MIN}")
    return int(text)


def consul_from(environment: Mapping[str, str]) -> ConsulHealth:
    """Consul as the environment variables of its own command line name it."""
    return ConsulHealth(_consul(environment))


def key_writer_from(environment: Mapping[str, str]) -> ConsulKeyWriter:
    """Consul's keys, as `consul_from` finds Consul."""
    return ConsulKeyWriter(_consul(environment))


def _consul(environment: Mapping[str, str]) -> Any:
    address = environment.get("CONSUL_HTTP_ADDR") or "127.0.0.1:8500"
    if "://" not in address:
        secure = environment.get("CONSUL_HTTP_SSL", "").lower() in {"1", "true"}
        address = f"{'https' if secure else 'http'}://{address}"
    certificate, key = environment.get("CONSUL_CLIENT_CERT"), environment.get("CONSUL_CLIENT_KEY")
    return consul_client(
        address,
        environment.get("CONSUL_HTTP_TOKEN", ""),
        ca_file=environment.get("CONSUL_CACERT"),
        certificate=(certificate, key) if certificate and key else certificate,
    )
