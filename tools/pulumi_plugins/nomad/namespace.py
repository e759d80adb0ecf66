"""nomad.Namespace."""

import time

from tools.pulumi_plugins.nomad.resource import Resource, ResourceError, ResourceType, Work, managed
from tools.pulumi_plugins.nomad.values import Values
from upschedule.deploy.errors import ServerRefused

POLL_SECONDS = 0.5
EMPTYING_SECONDS = 60


class Namespace(ResourceType):
    type_name = "nomad:index/namespace:Namespace"
    properties = frozenset({"name", "description", "meta", "quota", "capabilities"})
    required = frozenset({"name"})
    fixed = frozenset({"name"})

    def create(self, work: Work, inputs: Values) -> Resource:
        return self.update(work, inputs["name"], inputs, {})

    def update(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource:
        del outputs
        capabilities = inputs.get("capabilities") or {}
        body = {
            "Name": id_,
            "Description": inputs.get("description", ""),
            "Meta": inputs.get("meta"),
            "Quota": inputs.get("quota", ""),
            "Capabilities": {
                "EnabledTaskDrivers": capabilities.get("enabledTaskDrivers"),
                "DisabledTaskDrivers": capabilities.get("disabledTaskDrivers"),
            },
        }
        work.nomad.call("POST", "namespace", id_, body=body)
        return Resource(id=id_, inputs=inputs, computed={})

    def read(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource | None:
        del outputs
        found = work.nomad.find("namespace", id_)
        if found is None:
            return None
        drivers = found.get("Capabilities") or {}
        capabilities = {
            name: drivers[key]
            for name, key in (
                ("enabledTaskDrivers", "EnabledTaskDrivers"),
                ("disabledTaskDrivers", "DisabledTaskDrivers"),
            )
            if drivers.get(key)
        }
        live = {
            "name": found["Name"],
            "description": found["Description"],
            "meta": found.get("Meta") or {},
            "quota": found.get("Quota") or "",
            "capabilities": capabilities,
        }
        return Resource(id=id_, inputs=managed(live, inputs), computed={})

    def delete(self, work: Work, id_: str, outputs: Values) -> None:
        """Waits for jobs that were stopped a moment ago and still end. Raises ResourceError when time is up.

        Nomad 1.6 also answers that it deleted a namespace when its state store refused that because of a job or a
        variable: only its log says so.
        """
        del outputs
        deadline = time.monotonic() + (work.timeout_seconds or EMPTYING_SECONDS)
        while not self._is_deleted(work, id_):
            if time.monotonic() > deadline or work.cancelled.wait(POLL_SECONDS):
                raise ResourceError(
                    f"Nomad does not delete the namespace {id_}: a job in it has not ended, or it has volumes or "
                    f"variables. `nomad job status -namespace {id_}` and `nomad var list -namespace {id_}` list them."
                )

    @staticmethod
    def _is_deleted(work: Work, id_: str) -> bool:
        try:
            work.nomad.delete("namespace", id_)
        except ServerRefused as refused:
            if "non-terminal" not in refused.reason:
                raise
            return False
        return work.nomad.find("namespace", id_) is None
