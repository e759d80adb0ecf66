"""Tokens of least privilege: one for each thing that acts on the cluster."""

import pulumi
import pulumi_nomad as nomad


class Access(pulumi.ComponentResource):
    """A policy, and a token that may do what it says and nothing else. `token` is its secret."""

    def __init__(
        self, name: str, *, title: str, rules: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("upschedule:cluster:Access", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        policy = nomad.AclPolicy(name, name=title, rules_hcl=rules, opts=child)
        made = nomad.AclToken(name, name=title, type="client", policies=[policy.name], opts=child)
        self.token = made.secret_id
        self.register_outputs({"token": self.token})


def deploy_rules(namespace: str) -> str:
    """Start releases, promote or fail their canaries, scale; enter no task, change no access.

    It reads no secret itself, but a job that it submits may read the secrets of the job of that name.
    """
    return f"""namespace "{namespace}" {{
  capabilities = ["list-jobs", "parse-job", "read-job", "read-job-scaling", "read-logs", "scale-job", "submit-job"]
}}
"""


def autoscaler_rules(namespace: str) -> str:
    """Read jobs and their policies, and change a group's count within the bounds that the job itself sets."""
    return f"""namespace "{namespace}" {{
  capabilities = [
    "list-jobs", "list-scaling-policies", "read-job", "read-job-scaling", "read-scaling-policy", "scale-job",
  ]
}}
"""
