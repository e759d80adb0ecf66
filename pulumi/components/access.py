"""The component for a Nomad token of least privilege, and the rules of each token."""

import pulumi
import pulumi_nomad as nomad

#: Where operators find the token for the scheduler's endpoint. No task reads it.
OPERATOR_VARIABLE = "operators/ops"


class AccessToken(pulumi.ComponentResource):
    """A policy, and a token that has this policy only. `token` is the token's secret."""

    def __init__(
        self, name: str, *, title: str, rules: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # The name of the type is part of the state of a stack: another name would replace the tokens.
        super().__init__("upschedule:cluster:Access", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        policy = nomad.AclPolicy(name, name=title, rules_hcl=rules, opts=child)
        token = nomad.AclToken(name, name=title, type="client", policies=[policy.name], opts=child)
        # The attribute `secret_id` warns in every preview and advises a kind of resource that the library lacks.
        self.token: pulumi.Output[str] = pulumi.get(token, "secret_id")
        self.register_outputs({"token": self.token})


def deploy_rules(namespace: str, *, release_volume: str) -> str:
    """Allows to start releases, promote or fail canaries, and scale, but not to enter a task or change access.

    The token cannot read a secret, but a job that it submits can read the secrets of the job of that name. It keeps the
    records of releases, reads what the stack last applied, sets the canaries' shares: of the visitors, which Traefik's
    routes follow, and of the documents, which the worker follows; and can end the watch after a promotion.
    `release_volume` is the nodes' host volume for unpacked releases: Nomad refuses a job that mounts a host volume from
    a token that may not mount it.
    """
    return f"""namespace "{namespace}" {{
  capabilities = ["list-jobs", "parse-job", "read-job", "read-job-scaling", "read-logs", "scale-job", "submit-job"]

  variables {{
    path "releases/*" {{
      capabilities = ["list", "read", "write", "destroy"]
    }}

    path "stack/applied" {{
      capabilities = ["read"]
    }}

    path "nomad/jobs/traefik/traefik" {{
      capabilities = ["read", "write", "destroy"]
    }}

    path "nomad/jobs/worker/worker" {{
      capabilities = ["read", "write", "destroy"]
    }}

    path "supervisor/watch" {{
      capabilities = ["read", "write"]
    }}
  }}
}}

host_volume "{release_volume}" {{
  capabilities = ["mount-readwrite"]
}}
"""


def supervisor_rules(namespace: str, *, release_volume: str) -> str:
    """Allows to revert a release by its record, and to keep records and the watch, but not to scale or read logs."""
    return f"""namespace "{namespace}" {{
  capabilities = ["list-jobs", "read-job", "submit-job"]

  variables {{
    path "releases/*" {{
      capabilities = ["list", "read", "write", "destroy"]
    }}

    path "stack/applied" {{
      capabilities = ["read"]
    }}

    path "supervisor/watch" {{
      capabilities = ["read", "write"]
    }}
  }}
}}

host_volume "{release_volume}" {{
  capabilities = ["mount-readwrite"]
}}
"""


def operator_rules(namespace: str) -> str:
    """Allows to read the token for `upschedule ops`, and nothing else."""
    return f"""namespace "{namespace}" {{
  variables {{
    path "{OPERATOR_VARIABLE}" {{
      capabilities = ["read"]
    }}
  }}
}}
"""


def autoscaler_rules(namespace: str) -> str:
    """Allows to read jobs and scaling policies, and to change a group's count within the bounds that the job sets."""
    return f"""namespace "{namespace}" {{
  capabilities = [
    "list-jobs", "list-scaling-policies", "read-job", "read-job-scaling", "read-scaling-policy", "scale-job",
  ]
}}
"""


def log_shipper_rules(namespace: str) -> str:
    """Allows to list allocations and to read their logs, but no other file of them."""
    return f"""namespace "{namespace}" {{
  capabilities = ["read-job", "read-logs"]
}}
"""
