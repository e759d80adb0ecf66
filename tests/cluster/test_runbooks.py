"""The runbooks, followed in the situations for which they are written."""

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.cluster import delete_settings
from tests.support.cluster.whole.releases import (
    commit,
    deploy,
    harmless,
    released,
    serving,
    unlimited_traffic,
    version_of,
)
from tests.support.cluster.whole.runbooks import follow, shell
from tests.support.paths import ROOT
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster

pytestmark = pytest.mark.timeout(1500)
CANARY_SECONDS = 300


@pytest.fixture
def sre(cluster: LocalCluster) -> Iterator[dict[str, str]]:
    """The environment of an operator's shell. Afterwards the stack's settings are restored, and all is healthy."""
    file = cluster.stack.project / "Pulumi.local.yaml"
    before = file.read_bytes()
    yield shell(cluster)
    delete_settings(cluster)
    if file.read_bytes() != before:
        file.write_bytes(before)
        cluster.stack.up()
        deploy(cluster, "promote")
    cluster.await_healthy()


def test_a_release_is_deployed_and_its_canaries_are_sent_away(
    cluster: LocalCluster, sre: dict[str, str], tmp_path: Path
) -> None:
    """The serving instances run all the time, and the stack names their release again (R12.4)."""
    before, serving_before = released(cluster), serving(cluster)
    repository = commit(cluster, tmp_path / "next", harmless("deployed by a runbook"))
    follow("deploy", "Is all well?", "Release", environment=sre, folder=repository)
    wait_until(lambda: len(released(cluster)) > len(before), timeout_seconds=CANARY_SECONDS)

    output = follow("revert", "Revert", environment=sre)

    assert "A change of worker, scheduler, api is under way" in output
    assert version_of(cluster.stack.setting("release")) not in before.values()
    follow("revert", "Set the stack back", environment=sre)
    assert {version_of(cluster.stack.setting("release"))} == set(before.values())
    assert serving(cluster) == serving_before


@pytest.mark.long
def test_a_release_is_promoted_and_left_again(cluster: LocalCluster, sre: dict[str, str], tmp_path: Path) -> None:
    """The release is made from a commit, and the previous commit's release is restored (R12.4)."""
    before = set(released(cluster).values())
    repository = commit(cluster, tmp_path / "next", harmless("promoted by a runbook"))
    follow("deploy", "Is all well?", "Release", environment=sre, folder=repository)
    wait_until(lambda: "canary" in deploy(cluster, "status").output, timeout_seconds=CANARY_SECONDS)

    assert "Promoted and verified." in follow("promote", "Try the canary yourself", "Promote", environment=sre)
    assert set(released(cluster).values()) == {version_of(cluster.stack.setting("release"))} != before
    follow("revert", "Revert", "Set the stack back", environment=sre)
    assert set(released(cluster).values()) == {version_of(cluster.stack.setting("release"))} == before


def test_there_are_more_instances_when_a_person_wants_them(cluster: LocalCluster, sre: dict[str, str]) -> None:
    """The autoscaler still runs, and its bounds apply (R10.1, R10.2)."""
    assert "upschedule:api:wanted: " in follow("scale", "Look", environment=sre)
    follow("scale", "To stay", environment=sre)
    for job in ("api", "worker"):
        wait_until(lambda job=job: count(cluster, job) == bounds(cluster, job)[0] == 3, timeout_seconds=120)
    follow("scale", "Is it over?", "Now", "Is it over?", environment=sre)
    assert {count(cluster, job) for job in ("api", "worker")} == {3}


def count(cluster: LocalCluster, job: str) -> int:
    return cluster.nomad.api.get("job", job, namespace=NAMESPACE)["TaskGroups"][0]["Count"]


def bounds(cluster: LocalCluster, job: str) -> tuple[int, int]:
    found = cluster.nomad.api.get("job", job, namespace=NAMESPACE)["TaskGroups"][0]["Scaling"]
    return found["Min"], found["Max"]


def test_uploads_are_closed_and_opened(cluster: LocalCluster, sre: dict[str, str]) -> None:
    """Uploads get a message, and no instance restarts (R9.3)."""
    before = serving(cluster)
    follow("change-settings", "A limit", "Close uploads", environment=sre)
    wait_until(lambda: "Uploads are closed" in uploaded(cluster).text)
    assert uploaded(cluster).status_code == 503

    output = follow("change-settings", "See what is set", environment=sre)
    assert "upschedule/settings/limits/uploads_per_hour:20" in output
    follow("change-settings", "Open uploads", "Back to the stack's setting", environment=sre)
    wait_until(lambda: uploaded(cluster).status_code != 503)
    assert serving(cluster) == before


def uploaded(cluster: LocalCluster) -> httpx.Response:
    """The answer to an upload that is not a PDF."""
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with httpx.Client(verify=verify, timeout=20) as client:
        files = {"file": ("schedule.pdf", b"no PDF", "application/pdf")}
        return client.post(f"{cluster.plan.public_url}/api/v1/uploads", files=files)


@pytest.mark.long
def test_a_setting_of_the_stack_goes_out_as_a_release(cluster: LocalCluster, sre: dict[str, str]) -> None:
    """All instances are replaced (R12.2)."""
    before = serving(cluster)
    follow("change-settings", "A setting that is not live", environment=sre)
    assert not serving(cluster).keys() & before.keys()


def test_consul_is_killed_and_comes_back(
    cluster: LocalCluster, sre: dict[str, str], figure: Figure, tmp_path: Path
) -> None:
    """No request fails (R10.4)."""
    before = serving(cluster)
    with unlimited_traffic(cluster, readers=4, pause_seconds=0.2) as students:
        kill(cluster.consul.process.pid())
        output = follow("consul-down", "Look", environment=sre)
        assert "The agent of this machine does not answer." in output
        cluster.consul.start()
        cluster.consul.await_leader()
        follow("consul-down", "Is it over?", environment=sre)
        answers, failures = students.seen.answered, list(students.seen.failures)
        assert answers
    figure("requests answered from Consul's death to its recovery", answers)
    figure("requests failed meanwhile", len(failures))
    assert failures == []
    assert serving(cluster) == before
    manager = {**sre, "CONSUL_HTTP_TOKEN": cluster.credentials.token("consul-management")}
    follow("consul-down", "Save and restore", environment=manager, folder=tmp_path)
    follow("consul-down", "Is it over?", environment=sre)


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_nomad_is_killed_and_comes_back_with_what_was_saved(
    cluster: LocalCluster, sre: dict[str, str], tmp_path: Path
) -> None:
    """Tasks continue (R10.3)."""
    before = serving(cluster)
    server = {
        **sre,
        "PATH": os.pathsep.join([str(ROOT / "hosts" / "sbin"), sre["PATH"]]),
        "NOMAD_DATA": str(cluster.nomad.folder / "data"),
        "BACKUP": str(tmp_path / "backup"),
    }
    follow("nomad-down", "Save", environment=server)
    kill(cluster.nomad.process.pid())
    wait_until(lambda: cluster.nomad.process.pid() is None)
    follow("nomad-down", "Give a fresh server the keys", environment=server)
    cluster.nomad.start()
    cluster.nomad.await_node()
    follow("nomad-down", "Is it over?", environment=sre)
    follow("nomad-down", "Restore", "Is it over?", environment=server)
    assert serving(cluster) == before
