"""Three servers and two clients with the files for production lose both leaders and then a client."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.ha.cluster import SERVERS, Cluster, RequestErrors
from tests.support.cluster.ha.keys import run
from tests.support.cluster.ha.machine import Machine
from tests.support.cluster.whole.visits import reading
from tests.support.servers import wait_until
from tools.local_cluster.agent_cleanup import end_tasks

JOB = Path(__file__).parent / "web.nomad.hcl"
HEALTHY_SECONDS = 40
WRITABLE_SECONDS = 40.0
REJOIN_SECONDS = 40
PATIENCE_SECONDS = 5
#: This pause gives about 40 requests a second.
PAUSE_SECONDS = 0.02
#: A missed heartbeat (10 to 20 s) and its grace period (10 s), and then a new instance that passes its check.
REPLACED_SECONDS = 50


@pytest.fixture(scope="module", autouse=True)
def service(cluster: Cluster, programs: Path) -> None:
    """A service with one instance on each client."""
    there = {"NOMAD_ADDR": f"https://{SERVERS[0]}:4646", "NOMAD_TOKEN": cluster.nomad_token}
    there["NOMAD_CACERT"] = str(cluster.servers[0].tls / "nomad-agent-ca.pem")
    run(programs / "nomad", "job", "run", "-detach", str(JOB), environment=there)
    for client in cluster.clients:
        wait_until(lambda client=client: len(instances_on(cluster, client)) == 1, timeout_seconds=HEALTHY_SECONDS)
    wait_until(lambda: is_deployed(cluster), timeout_seconds=HEALTHY_SECONDS)


def is_deployed(cluster: Cluster) -> bool:
    """Nomad refuses to scale the job before that."""
    return cluster.nomad(cluster.servers[0], "GET", "job/web/deployment")["Status"] == "successful"


def instances_on(cluster: Cluster, client: Machine) -> list[str]:
    """The instances on a client, as the other client's Consul reports them."""
    witness = next(machine for machine in reversed(cluster.clients) if machine.running)
    return [one for one in cluster.instances("web", witness) if int(one.rpartition(":")[2]) in client.ports]


@pytest.mark.timeout(180)
def test_losing_both_leaders_fails_no_reader_and_stops_writers_for_seconds(cluster: Cluster, figure: Figure) -> None:
    """The leaders of Nomad and Consul are killed at the same time, under load (R10.1)."""
    pages = [f"http://{address}/" for address in cluster.instances("web", cluster.clients[0])]
    with reading(pages, patience_seconds=PATIENCE_SECONDS, pause_seconds=PAUSE_SECONDS) as readers:
        wait_until(lambda: readers.answered >= 50)
        lost = {program: leader_of(cluster, program) for program in ("nomad", "consul")}
        killed_at = time.monotonic()
        for program, machine in lost.items():
            machine.kill(program)
        outages = writable_after(cluster, killed_at)
        wait_until(lambda: len(cluster.instances("web", cluster.clients[1])) == 3, timeout_seconds=HEALTHY_SECONDS)
        scaled = time.monotonic() - killed_at

        lost["consul"].start_consul()
        lost["nomad"].start_nomad(cluster.nomad_consul_token)
        began = time.monotonic()
        wait_until(lambda: all_agree(cluster), timeout_seconds=REJOIN_SECONDS)
        rejoined = time.monotonic() - began

    for name, seconds in outages.items():
        figure(f"s until {name} works again", seconds)
    figure("s until a third instance passes its check", scaled)
    figure("s until the restarted servers are healthy members", rejoined)
    figure("requests answered meanwhile", readers.answered)
    figure("requests failed meanwhile", len(readers.failures))
    assert readers.failures == []


def leader_of(cluster: Cluster, program: str) -> Machine:
    leader = cluster.leader(program, cluster.servers)
    assert leader is not None
    return leader


def writable_after(cluster: Cluster, began: float) -> dict[str, float]:
    """The seconds until a running server accepted the first write of each kind."""
    variable = {"Path": "nomad/jobs/web", "Items": {"word": "after"}}
    scale = {"Count": 3, "Target": {"Group": "web"}, "Message": "while a leader is elected"}
    writes: dict[str, Callable[[Machine], object]] = {
        "nomad var put": lambda server: cluster.nomad(server, "PUT", "var/nomad/jobs/web", variable),
        "nomad job scale": lambda server: cluster.nomad(server, "PUT", "job/web/scale", scale),
        "consul kv put": lambda server: cluster.consul(server).kv.put("upschedule/maintenance", "after"),
    }

    def first(name: str) -> float:
        servers = [server for server in cluster.servers if name.split(maxsplit=1)[0] in server.running]
        wait_until(partial(accepted, writes[name], servers), timeout_seconds=WRITABLE_SECONDS)
        return time.monotonic() - began

    with ThreadPoolExecutor(len(writes)) as writers:
        return dict(zip(writes, writers.map(first, writes), strict=True))


def accepted(write: Callable[[Machine], object], servers: Sequence[Machine]) -> bool:
    for server in servers:
        try:
            write(server)
        except RequestErrors:
            continue
        return True
    return False


def all_agree(cluster: Cluster) -> bool:
    """Each server of both kinds sees three healthy ones."""
    return all(
        cluster.peers(program, server) == SERVERS for program in ("nomad", "consul") for server in cluster.servers
    )


@pytest.mark.timeout(180)
def test_a_lost_client_gives_its_allocation_to_another(cluster: Cluster, figure: Figure) -> None:
    """Its agents and tasks end at once, as in a power failure of the machine (R10.3)."""
    lost, remaining = cluster.clients
    wait_until(lambda: heard_of_clients(cluster), timeout_seconds=REJOIN_SECONDS)
    wanted = len(cluster.instances("web", remaining))
    began = time.monotonic()
    for program in ("nomad", "consul"):
        lost.kill(program)
    end_tasks(lost.folder, lost.cgroup)
    wait_until(lambda: not instances_on(cluster, lost), timeout_seconds=REPLACED_SECONDS)
    figure("s until Consul stops calling them healthy", time.monotonic() - began)

    wait_until(lambda: len(instances_on(cluster, remaining)) == wanted, timeout_seconds=REPLACED_SECONDS)
    figure("s until as many pass their checks elsewhere", time.monotonic() - began)


def heard_of_clients(cluster: Cluster) -> bool:
    """A new leader allows five minutes for a client's first heartbeat, and the usual time for later ones."""
    samples = cluster.nomad(leader_of(cluster, "nomad"), "GET", "metrics")["Samples"]
    return any(sample["Name"] == "nomad.nomad.client.update_status" for sample in samples)
