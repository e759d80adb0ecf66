"""The file of variables for a shell that uses the cluster, and the text that says what to do next."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.local_cluster.plan import Plan
from upschedule.operations.embedded.passwords import write_private


def write_exports(file: Path, variables: Mapping[str, str], path: Sequence[Path]) -> None:
    """Writes a file for `source`, which only its owner can read. `path` goes in front of PATH."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    folders = shlex.quote(os.pathsep.join(map(str, path)))
    write_private(file, "\n".join([*lines, f'export PATH={folders}:"$PATH"', ""]).encode())


def next_steps(plan: Plan) -> str:
    """The text that `up` prints at its end."""
    return f"""
The cluster is healthy.
  Service      {plan.public_url} (its authority: {plan.data / "certificates" / "authority.pem"})
  Consul       {plan.consul_url}/ui/ (token: $CONSUL_HTTP_TOKEN)
  Nomad        {plan.nomad_url} (`nomad status`; this release has no pages of its own)
  Prometheus   http://{plan.address("prometheusPort")}/
  Alertmanager http://{plan.address("alertmanagerPort")}/
  Logs         {plan.data}/consul/consul.log, {plan.data}/nomad/nomad.log, `nomad alloc logs ALLOCATION TASK`

Next, in a shell of yours:
  source {plan.env_file}
  upschedule deploy status
  nomad status
To release another commit of yours (docs/releases.md):
  pulumi config set release "$(upschedule release --push)" && pulumi up --refresh && upschedule deploy promote
To stop it and keep its data: make cluster-down
"""
