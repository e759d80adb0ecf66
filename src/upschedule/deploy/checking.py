"""Whether Consul passes every check of some instances."""

from collections.abc import Iterable, Mapping

from upschedule.deploy.cluster import Cluster
from upschedule.deploy.consul import complaints
from upschedule.deploy.errors import DeployError
from upschedule.deploy.explain import short
from upschedule.deploy.findings import Finding
from upschedule.deploy.nomad_model import Allocation, Job

_EVERY_SECONDS = 2.0


def complaints_of(cluster: Cluster, job: Job, instances: Iterable[Allocation]) -> Mapping[str, list[str]]:
    """By allocation id, empty lists for those that are well."""
    registered = cluster.consul.registrations(job.services)
    return {each.id: complaints(registered.get(each.id, ()), job.services) for each in instances}


def checks(cluster: Cluster, job: Job, instances: Iterable[Allocation], *, what: str, seconds: float) -> Finding:
    """Waits until all pass."""
    known = list(instances)
    found: Mapping[str, list[str]] = {}

    def all_pass() -> bool:
        nonlocal found
        found = complaints_of(cluster, job, known)
        return not any(found.values())

    try:
        passing = cluster.clock.until(all_pass, seconds=seconds, every_seconds=_EVERY_SECONDS)
    except DeployError as error:
        return Finding(checked=f"{job.id}: checks in Consul", ok=False, said=str(error))
    wrong = [f"instance {short(id_)} {each}" for id_, complaints_ in found.items() for each in complaints_]
    said = f"all pass on {len(known)} {what}" if passing else "; ".join(wrong)
    return Finding(checked=f"{job.id}: checks in Consul", ok=passing and bool(known), said=said)
