"""The runbooks for servers and nodes, followed on a cluster with several of each."""

import os
from pathlib import Path

import pytest

from tests.cluster.ha.test_leaders import (
    REJOIN_SECONDS,
    REPLACED_SECONDS,
    all_agree,
    instances_on,
    leader_of,
    service,
)
from tests.support.cluster.ha.cluster import Cluster
from tests.support.cluster.ha.machine import Machine
from tests.support.cluster.whole.runbooks import follow
from tests.support.servers import wait_until
from tools.local_cluster.agent_cleanup import end_tasks

__all__ = ["service"]


def shell(cluster: Cluster, programs: Path, server: Machine) -> dict[str, str]:
    """The environment of an operator's shell that uses this server."""
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "NOMAD_ADDR": f"https://{server.address}:4646",
        "NOMAD_CACERT": str(server.tls / "nomad-agent-ca.pem"),
        "NOMAD_TOKEN": cluster.nomad_token,
    }


@pytest.mark.timeout(300)
def test_nomad_elects_another_leader(cluster: Cluster, programs: Path) -> None:
    """The runbook's commands show the new leader (R10.1)."""
    lost = leader_of(cluster, "nomad")
    lost.kill("nomad")
    others = [server for server in cluster.servers if server is not lost]
    wait_until(lambda: cluster.leader("nomad", others), timeout_seconds=REJOIN_SECONDS)

    output = follow("nomad-down", "Look", environment=shell(cluster, programs, others[0]))

    assert "leader" in output
    lost.start_nomad(cluster.nomad_consul_token)
    wait_until(lambda: all_agree(cluster), timeout_seconds=REJOIN_SECONDS)


@pytest.mark.timeout(300)
def test_a_node_is_drained_and_taken_back(cluster: Cluster, programs: Path) -> None:
    """Its instance runs on the other node meanwhile (R10.3)."""
    going, staying = cluster.clients
    environment = {**shell(cluster, programs, cluster.servers[0]), "NODE": going.name}
    wanted = len(cluster.instances("web", staying))

    follow("node-lost", "Look", "Before a node goes", environment=environment)

    assert instances_on(cluster, going) == []
    wait_until(lambda: len(instances_on(cluster, staying)) == wanted, timeout_seconds=REPLACED_SECONDS)
    follow("node-lost", "It is back", environment=environment)
    nodes = cluster.nomad(cluster.servers[0], "GET", "nodes")
    assert {node["SchedulingEligibility"] for node in nodes} == {"eligible"}


@pytest.mark.timeout(300)
def test_a_node_is_lost_for_good(cluster: Cluster, programs: Path) -> None:
    """Its instances run on another node, and Nomad forgets the lost one (R10.3)."""
    remaining, lost = cluster.clients
    environment = {**shell(cluster, programs, cluster.servers[0]), "NODE": lost.name}
    wanted = len(cluster.instances("web", remaining))
    for program in ("nomad", "consul"):
        lost.kill(program)
    end_tasks(lost.folder, lost.cgroup)
    wait_until(lambda: status_of(cluster, lost) == "down", timeout_seconds=6 * REPLACED_SECONDS)

    follow("node-lost", "It is gone for good", environment=environment)

    wait_until(lambda: len(instances_on(cluster, remaining)) == wanted, timeout_seconds=REPLACED_SECONDS)
    wait_until(lambda: status_of(cluster, lost) is None, timeout_seconds=REPLACED_SECONDS)


def status_of(cluster: Cluster, machine: Machine) -> str | None:
    """The status of the machine's node, or None if Nomad does not know it."""
    nodes = cluster.nomad(cluster.servers[0], "GET", "nodes")
    return next((node["Status"] for node in nodes if node["Name"] == machine.name), None)
