"""nomad.Job."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tools.pulumi_plugins.nomad import deployment, specification
from tools.pulumi_plugins.nomad.resource import FAILURES, IncompleteError, Resource, ResourceType, Work
from tools.pulumi_plugins.nomad.values import Values, has_unknown
from upschedule.deploy.nomad import NomadClient

SOURCE = frozenset({"jobspec", "hcl2"})
# Output of nomad.Job, and its name in Nomad.
COPIED = {
    "name": "Name",
    "namespace": "Namespace",
    "type": "Type",
    "region": "Region",
    "priority": "Priority",
    "version": "Version",
    "createIndex": "CreateIndex",
    "status": "Status",
    "stable": "Stable",
    "stop": "Stop",
}
EDITED = "# Edited outside Pulumi: "


class Job(ResourceType):
    """Its id is the job's; it is imported as JOB or JOB@NAMESPACE.

    A job that was edited outside shows as a first line in `jobspec` that names what differs.
    """

    type_name = "nomad:index/job:Job"
    properties = frozenset({"jobspec", "hcl2", "detach", "preserveCounts", "deregisterOnDestroy", "purgeOnDestroy"})
    required = frozenset({"jobspec"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "detach": True,
        "preserveCounts": False,
        "deregisterOnDestroy": True,
        "purgeOnDestroy": False,
    }
    computed = frozenset({*COPIED, "modifyIndex", "statusDescription", "deploymentId", "deploymentStatus"})
    stable = frozenset({"name", "namespace"})

    def problems(self, nomad: NomadClient, inputs: Values) -> list[str]:
        if (inputs.get("hcl2") or {}).get("allowFs"):
            return ["hcl2.allowFs: the specification is read by Nomad's server, which opens no files of yours"]
        return specification.problems(nomad, inputs)

    def replaced(self, nomad: NomadClient, old: Resource, new: Values) -> frozenset[str]:
        changed = frozenset(name for name in SOURCE if old.inputs.get(name) != new.get(name))
        if not changed or has_unknown(new):
            return frozenset()
        job = specification.parse(nomad, new)
        same = (job["ID"], specification.namespace_of(job)) == (old.id, old.computed["namespace"])
        return frozenset() if same else changed

    def foreseen(self, nomad: NomadClient, inputs: Values) -> Values:
        job = specification.parse(nomad, inputs)
        return {
            "name": job["Name"],
            "namespace": specification.namespace_of(job),
            "type": job.get("Type") or "service",
        }

    def create(self, work: Work, inputs: Values) -> Resource:
        job = specification.parse(work.nomad, inputs)
        namespace = specification.namespace_of(job)
        body = {
            "Job": job,
            "PreserveCounts": inputs["preserveCounts"],
            "Submission": specification.submission(inputs, work.secret_texts),
        }
        answer = work.nomad.call("POST", "jobs", body=body, namespace=namespace)
        failure = None
        if not inputs["detach"] and answer.get("EvalID"):
            try:
                deployment.wait(work, answer["EvalID"], namespace)
            except FAILURES as reason:
                failure = str(reason)
        made = self._resource(work.nomad, inputs, work.nomad.get("job", job["ID"], namespace=namespace))
        if failure:
            raise IncompleteError(failure, made)
        return made

    def update(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource:
        del id_, outputs
        return self.create(work, inputs)

    def read(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource | None:
        name, _, imported = id_.partition("@")
        namespace = outputs.get("namespace") or imported or "default"
        live = work.nomad.find("job", name, namespace=namespace)
        if live is None or live["Stop"]:
            return None
        if not inputs:
            inputs = {**self.defaults, **specification.submitted(work.nomad, live)}
        return self._resource(work.nomad, self._as_running(work.nomad, inputs, live), live)

    def delete(self, work: Work, id_: str, outputs: Values) -> None:
        if outputs["deregisterOnDestroy"]:
            purge = "true" if outputs["purgeOnDestroy"] else "false"
            work.nomad.delete("job", id_, namespace=outputs["namespace"], purge=purge)

    def _as_running(self, nomad: NomadClient, inputs: Values, live: Values) -> Values:
        """`inputs`, marked where the running job is not what they say."""
        first_line, marked, rest = inputs["jobspec"].partition("\n")
        original = {**inputs, "jobspec": rest if marked and first_line.startswith(EDITED) else inputs["jobspec"]}
        job = specification.parse(nomad, original)
        differing = specification.edited(nomad, job, live=live, preserve_counts=inputs["preserveCounts"])
        if not differing:
            return original
        return {**original, "jobspec": f"{EDITED}{', '.join(differing)}\n{original['jobspec']}"}

    @staticmethod
    def _resource(nomad: NomadClient, inputs: Values, job: Values) -> Resource:
        latest = nomad.find("job", job["ID"], "deployment", namespace=job["Namespace"]) or {}
        computed: dict[str, Any] = {name: job[key] for name, key in COPIED.items()}
        computed |= {
            "modifyIndex": str(job["JobModifyIndex"]),
            "statusDescription": job.get("StatusDescription") or "",
            "deploymentId": latest.get("ID", ""),
            "deploymentStatus": latest.get("Status", ""),
        }
        return Resource(id=job["ID"], inputs=inputs, computed=computed)
