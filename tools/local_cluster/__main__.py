"""Starts and stops the cluster on this machine: `python -m tools.local_cluster up | down`, as root."""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

from tools.cluster.pinned_programs import CannotPrepareError
from tools.local_cluster import shell_environment
from tools.local_cluster.cluster import LocalCluster
from tools.local_cluster.errors import ClusterError
from tools.local_cluster.plan import DEFAULT_PORTS, ROOT, make_plan
from upschedule.deploy.errors import ServerError
from upschedule.operations.embedded.errors import EmbeddedServerError


def main() -> int:
    chosen = arguments()
    if os.geteuid() != 0:
        print("Run it as root: Nomad's client starts each task with its own user and file system.")
        return 1
    if chosen.command == "down" and not chosen.data.exists():
        print(f"There is no cluster in {chosen.data}.")
        return 1
    try:
        cluster = LocalCluster(
            make_plan(chosen.data.resolve(), chosen=dict(chosen.port), free=chosen.free_ports), report
        )
        if chosen.command == "up":
            bring_up(cluster)
        else:
            take_down(cluster, remove=chosen.remove_data)
    except (ClusterError, ServerError, CannotPrepareError, EmbeddedServerError) as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


def bring_up(cluster: LocalCluster) -> None:
    began = time.monotonic()
    cluster.up()
    print(shell_environment.next_steps(cluster.plan))
    report(f"Took {time.monotonic() - began:.0f} s.")


def take_down(cluster: LocalCluster, *, remove: bool) -> None:
    cluster.down()
    if remove:
        cluster.remove()
    report("Everything is removed." if remove else f"Its data stay in {cluster.plan.data}.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.local_cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start what does not run, and bring the stack up")
    down = commands.add_parser("down", help="stop everything")
    for command in (up, down):
        command.add_argument("--data", type=Path, default=ROOT / ".cluster", help="folder of everything it writes")
    up.add_argument(
        "--port", type=port, action="append", default=[], metavar="NAME=NUMBER", help=", ".join(DEFAULT_PORTS)
    )
    up.add_argument("--free-ports", action="store_true", help="take ports that are free")
    down.add_argument("--remove-data", action="store_true", help="remove volumes, secrets and state, too")
    down.set_defaults(port=[], free_ports=False)
    return parser.parse_args()


def port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


def report(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
