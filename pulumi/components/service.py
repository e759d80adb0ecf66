"""The component for one of the project's services on Nomad: its secrets and its job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_nomad as nomad

JOBS = Path(__file__).resolve().parents[2] / "jobs"


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """`variables` are those of the job's file, `secrets` the items of the Nomad Variable that all its tasks may read.

    `task_secrets` are for one task each, by GROUP/TASK. `file` names a job file that several services share; without
    it the file has the service's name. `keeps_data` protects job and secrets from being removed. The job is registered
    `after` those resources.
    """

    namespace: pulumi.Input[str]
    file: str = ""
    variables: Mapping[str, pulumi.Input[str]]
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    task_secrets: Mapping[str, Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)
    keeps_data: bool = False
    after: Sequence[pulumi.Resource] = ()


class Service(pulumi.ComponentResource):
    """Registers the job and returns at once: the release gate waits until it is healthy."""

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("upschedule:cluster:Service", name, None, opts)
        secrets = {name: args.secrets, **{f"{name}/{task}": items for task, items in args.task_secrets.items()}}
        secret_variables = [
            nomad.Variable(
                title,
                namespace=args.namespace,
                path=f"nomad/jobs/{title}",
                items=items,
                opts=pulumi.ResourceOptions(parent=self, protect=args.keeps_data),
            )
            for title, items in secrets.items()
            if items
        ]
        self.job = nomad.Job(
            name,
            jobspec=(JOBS / f"{args.file or name}.nomad.hcl").read_text(encoding="utf-8"),
            hcl2=nomad.JobHcl2Args(vars={"namespace": args.namespace, **args.variables}),
            # Without it `up` would wait for the promotion of a canary, and fail.
            detach=True,
            # Otherwise `up` would undo the autoscaler's count.
            preserve_counts=True,
            # What was purged cannot be started again from Nomad's own record.
            purge_on_destroy=not args.keeps_data,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*secret_variables, *args.after], protect=args.keeps_data
            ),
        )
        self.register_outputs({"job": self.job.name})
