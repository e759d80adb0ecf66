"""What a person's shell needs to talk to the cluster, and what to do with it."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.local_cluster.tokens import consul_token
from upschedule.operations.embedded.passwords import write_private

if TYPE_CHECKING:
    from tools.local_cluster.cluster import LocalCluster

PYTHON_PROGRAMS = Path(sys.executable).parent


def file_of(cluster: "LocalCluster") -> Path:
    return cluster.plan.data / "env"


def variables(cluster: "LocalCluster") -> dict[str, str]:
    """Of an SRE: everything on Nomad, settings and views on Consul."""
    return {
        **cluster.stack.environment,
        "NOMAD_NAMESPACE": "upschedule",
        "CONSUL_HTTP_ADDR": cluster.plan.address("consul_http"),
        "CONSUL_HTTP_TOKEN": consul_token(cluster.credentials, "operator"),
    }


def write(cluster: "LocalCluster") -> None:
    """For `source`; readable by its owner only."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables(cluster).items()]
    path = shlex.quote(os.pathsep.join(map(str, cluster.path)))
    text = "\n".join([*lines, f'export PATH={path}:"$PATH"', ""])
    write_private(file_of(cluster), text.encode())


def advice(cluster: "LocalCluster") -> str:
    """What to read after `up`."""
    data, plan = cluster.plan.data, cluster.plan
    return f"""
The cluster is healthy.
  Service      {plan.public_url} (its authority: {data / "certificates" / "authority.pem"})
  Consul       {plan.consul_url}/ui/ (token: $CONSUL_HTTP_TOKEN)
  Nomad        {plan.nomad_url} (`nomad status`; this release has no pages of its own)
  Prometheus   http://{plan.address("prometheusPort")}/
  Logs         {data}/consul/consul.log, {data}/nomad/nomad.log, `nomad alloc logs ALLOCATION TASK`

Next, in a shell of yours:
  source {file_of(cluster)}
  nomad status
  pulumi preview --diff
To stop it and keep its data: make cluster-down
"""
