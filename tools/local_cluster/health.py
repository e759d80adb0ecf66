"""Compares the instances that jobs want with those that pass Consul's checks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.local_cluster.errors import ClusterError
from tools.local_cluster.polling import wait_for
from upschedule.deploy.consul import ConsulErrors
from upschedule.deploy.errors import ServerError
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.nomad_model import ACTIVE

LOG_LINES = 12


@dataclass(frozen=True, kw_only=True)
class Health:
    """The health of all jobs in one namespace."""

    nomad: NomadClient
    consul: Any
    namespace: str

    def await_all(self, *, timeout_seconds: float) -> None:
        """Waits until nothing is missing. Raises ClusterError with each unhealthy task and the end of its logs."""
        if not wait_for(lambda: not self.missing(), timeout_seconds=timeout_seconds):
            explanation = "\n".join(self.explain())
            raise ClusterError(f"Not everything is healthy after {timeout_seconds:.0f} s.\n{explanation}")

    def missing(self) -> list[str]:
        """Services with fewer passing instances than wanted, or whose instances are being replaced."""
        rolling = self.rolling()
        return [name for name, count in self.wanted().items() if self.passing(name) < count or name in rolling]

    def rolling(self) -> set[str]:
        """Jobs with a deployment under way, except those whose canary waits for its promotion."""
        return {
            deployment["JobID"]
            for deployment in self.nomad.get("deployments", namespace=self.namespace)
            if deployment["Status"] in ACTIVE
            and all(group["Promoted"] or not group["DesiredCanaries"] for group in deployment["TaskGroups"].values())
        }

    def wanted(self) -> Mapping[str, int]:
        """Instances by the name of the service; services without checks count as well."""
        found: dict[str, int] = {}
        for entry in self.nomad.get("jobs", namespace=self.namespace):
            job = self.nomad.get("job", entry["ID"], namespace=self.namespace)
            for group in job["TaskGroups"]:
                holders: list[dict[str, Any]] = [group, *group["Tasks"]]
                services: list[dict[str, Any]] = [service for holder in holders for service in holder["Services"] or ()]
                found |= {service["Name"]: group["Count"] for service in services}
        return found

    def passing(self, service: str) -> int:
        """The number of instances that pass all checks. Raises ClusterError."""
        try:
            return len(self.consul.health.service(service, passing=True)[1])
        except ConsulErrors as error:
            raise ClusterError(f"Consul does not tell the health of {service}: {error}") from error

    def explain(self) -> Iterator[str]:
        missing = set(self.missing())
        yield f"Too few instances pass Consul's checks of: {', '.join(sorted(missing)) or 'nothing (by now)'}."
        for entry in self.nomad.get("jobs", namespace=self.namespace):
            for allocation in self.nomad.get("job", entry["ID"], "allocations", namespace=self.namespace)[:2]:
                states: dict[str, dict[str, Any]] = allocation["TaskStates"] or {}
                for task, state in states.items():
                    if state["Failed"] or state["State"] == "pending" or entry["ID"] in missing:
                        yield from self.explain_task(allocation["ID"], f"{entry['ID']}/{task}", task, state)
            for failure in self.unplaced(entry["ID"]):
                yield f"{entry['ID']}: not placed: {failure}"

    def explain_task(self, allocation: str, title: str, task: str, state: Mapping[str, Any]) -> Iterator[str]:
        events: list[dict[str, str]] = state["Events"] or []
        last = events[-1]["DisplayMessage"] if events else "nothing yet"
        yield f"{title} of allocation {allocation[:8]} is {state['State']}: {last}"
        for stream in ("stderr", "stdout"):
            lines = self.log(allocation, task, stream).splitlines()[-LOG_LINES:]
            yield from (f"  {stream}: {line}" for line in lines)

    def log(self, allocation: str, task: str, stream: str) -> str:
        """The end of the log; empty if there is none yet."""
        try:
            return self.nomad.log_tail(allocation, task, stream, namespace=self.namespace)
        except ServerError:
            return ""

    def unplaced(self, job: str) -> Iterator[str]:
        for evaluation in self.nomad.get("job", job, "evaluations", namespace=self.namespace):
            failures: dict[str, dict[str, Any]] = evaluation.get("FailedTGAllocs") or {}
            for metric in failures.values():
                yield str(metric["DimensionExhausted"] or metric["ConstraintFiltered"] or metric["NodesEvaluated"])
