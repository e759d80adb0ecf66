"""What a gate works with, where one server answers for all."""

from collections.abc import Callable

from urllib3.util import Retry

from upschedule import golden
from upschedule.deploy.clock import Clock
from upschedule.deploy.consul import ConsulHealth, consul_client
from upschedule.deploy.environment import JOBS, Cluster
from upschedule.deploy.gate import GateLimits, ReleaseContext
from upschedule.deploy.http import Endpoint
from upschedule.deploy.nomad import NomadClient, nomad_at
from upschedule.deploy.probe import Probe
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.records.recorder import RECORDS_MIN, Recorder
from upschedule.deploy.watch import Watcher


def gate_context(
    address: str, *, clock: Clock, silence_seconds: float = 0, report: Callable[[str], None] = print
) -> ReleaseContext:
    """Watches the API alone. Consul is asked once for each question, so that no time passes unseen by `clock`."""
    nomad = NomadClient(nomad_at(address, ""))
    cluster = Cluster(
        nomad=nomad,
        records=Recorder(nomad, jobs=JOBS, records_max=RECORDS_MIN),
        consul=ConsulHealth(consul_client(address, "", retries=Retry(0))),
        clock=clock,
        report=report,
        silence_seconds=silence_seconds,
    )
    probe = Probe(
        site=Endpoint(name="The service", address=address),
        prometheus=Prometheus(Endpoint(name="Prometheus", address=address)),
        golden=golden.load(),
        clock=clock,
        golden_seconds=1,
        silence_seconds=silence_seconds,
        report=report,
    )
    return ReleaseContext(cluster=cluster, probe=probe, limits=GateLimits(), watcher=Watcher(cluster, ["api"]))
