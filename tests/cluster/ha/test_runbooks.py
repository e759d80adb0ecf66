"""The runbooks for servers and nodes, followed where there are several of each."""

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
    """An SRE's, who asks that server."""
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "NOMAD_ADDR": f"https://{server.address}:4646",
        "NOMAD_CACERT": str(server.tls / "nomad-agent-ca.pem"),
        "NOMAD_TOKEN": cluster.nomad_token,
    }


@pytest.mark.timeout(300)
def test_nomad_elects_another_leader(cluster: Cluster, programs: Path) -> None:
    """As the runbook's commands show it (R10.1)."""
    lost = leader_of(cluster, "nomad")
    lost.kill("nomad")
    others = [server for server in cluster.servers if server is not lost]
    wait_until(lambda: cluster.leader("nomad", others), timeout_seconds=REJOIN_SECONDS)

    said = follow("nomad-down", "Look", environment=shell(cluster, programs, others[0]))

    assert "leader" in said
    lost.start_nomad(cluster.nomad_consul_token)
    wait_until(lambda: all_agree(cluster), timeout_seconds=REJOIN_SECONDS)


@pytest.mark.timeout(300)
def test_a_node_is_drained_and_taken_back(cluster: Cluster, programs: Path) -> None:
    """Its instance runs on the other one meanwhile (R10.3)."""
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
    """What ran there runs elsewhere, and Nomad forgets it (R10.3)."""
    kept, lost = cluster.clients
    environment = {**shell(cluster, programs, cluster.servers[0]), "NODE": lost.name}
    wanted = len(cluster.instances("web", kept))
    for program in ("nomad", "consul"):
        lost.kill(program)
    end_tasks(lost.folder, lost.cgroup)
    wait_until(lambda: status_of(cluster, lost) == "down", timeout_seconds=6 * REPLACED_SECONDS)

    follow("node-lost", "It is gone for good", environment=environment)

    wait_until(lambda: len(instances_on(cluster, kept)) == wanted, timeout_seconds=REPLACED_SECONDS)
    wait_until(lambda: status_of(cluster, lost) is None, timeout_seconds=REPLACED_SECONDS)


def status_of(cluster: Cluster, machine: Machine) -> str | None:
    """None: Nomad does not know it."""
    nodes = cluster.nomad(cluster.servers[0], "GET", "nodes")
    return next((node["Status"] for node in nodes if node["Name"] == machine.name), None)
