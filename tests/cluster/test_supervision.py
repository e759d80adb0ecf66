"""Releases that turn bad after their promotion: the cluster reverts them automatically (R12.1, R12.3)."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.bad_releases import FAILS_LATER, LEAKS, SLOW_LATER
from tests.support.cluster.whole.cluster import tasks_of
from tests.support.cluster.whole.releases import (
    Change,
    deploy,
    harmless,
    make_release,
    released,
    tried,
    unlimited_traffic,
    version_of,
)
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster
from upschedule.deploy.nomad import NomadClient, nomad_at

pytestmark = pytest.mark.timeout(1200)
#: The deadline until a canary of each job is healthy.
CANARY_SECONDS = 300.0
#: A leak is killed after a minute. The slices of ten seconds and the rollback follow.
BACK_SECONDS = 420.0
DONE, FAILED = 0, 11


@dataclass(frozen=True, kw_only=True)
class TurnsBad:
    """The supervisor must name `reason`.

    At most `failed_max` requests may fail until the previous release serves again.
    """

    change: Change
    reason: str
    failed_max: int


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(
            TurnsBad(change=FAILS_LATER, reason="GET /api/v1/capacity: faults ", failed_max=600), id="fails-later"
        ),
        pytest.param(
            TurnsBad(change=LEAKS, reason="task serve was killed (exit code 137)", failed_max=60),
            id="leaks",
            marks=pytest.mark.long,
        ),
        pytest.param(
            TurnsBad(change=SLOW_LATER, reason="GET /api/v1/capacity: slower than 2 s", failed_max=0),
            id="slow-later",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_release_that_turns_bad_after_its_promotion_is_reverted(
    cluster: LocalCluster, tmp_path: Path, figure: Figure, bad: TurnsBad
) -> None:
    """Nomad's own command promotes it.

    The supervisor is killed meanwhile, names the figure, and no timetable is wrong.
    """
    documents = [document(seed, rows_max=10) for seed in range(8)]
    manifest = make_release(cluster, tmp_path / "bad", bad.change)
    with unlimited_traffic(cluster, readers=4, pause_seconds=0.2) as students:
        with tried(cluster, {"release": manifest}):
            before = set(released(cluster).values()) - {version_of(manifest)}
            promote_by_nomad(cluster)
            began = time.monotonic()
            uploads = students.upload(documents, at_once=1)
            wait_until(lambda: watch(cluster).get("verdict") == "watching", timeout_seconds=60)
            kill_supervisor(cluster)
            wait_until(lambda: watch(cluster)["verdict"] != "watching", timeout_seconds=BACK_SECONDS)
            figure("seconds until a release that turned bad was found", time.monotonic() - began)
            wait_until(lambda: watch(cluster)["verdict"] != "reverting", timeout_seconds=BACK_SECONDS)
            figure("seconds until the release before was back", time.monotonic() - began)
            uploads.result()
            found, status = watch(cluster), deploy(cluster, "status")
            assert set(released(cluster).values()) == before
        failed = len(students.seen.failures)
        figure("requests failed during a release that turned bad", failed)
        figure("requests refused during a release that turned bad", students.seen.refused)

    assert (found["verdict"], bad.reason in found["reason"]) == ("reverted", True), found
    # The stack still names the release that was left.
    assert (status.code, "reverted at" in status.output, bad.reason in status.output) == (FAILED, True, True), (
        status.output
    )
    assert students.seen.documents == len(documents), students.seen.summary()
    assert failed <= bad.failed_max, students.seen.failures[:20]


@pytest.mark.long
def test_a_person_ends_the_watch_and_the_supervisor_takes_the_release_over(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    """Its own canary waits until then, since a release must not replace the supervisor before the verdict."""
    manifest = make_release(cluster, tmp_path / "good", harmless("accepted"))
    with tried(cluster, {"release": manifest}):
        promoted = deploy(cluster, "promote", "--no-gate")
        assert promoted.code == DONE, promoted.output
        wait_until(lambda: watch(cluster).get("verdict") == "watching", timeout_seconds=60)
        assert "promotion without the gate" in deploy(cluster, "status").output
        assert supervisors(cluster) != [version_of(manifest)]
        assert "watched until" in deploy(cluster, "status").output

        accepted = deploy(cluster, "accept", "--reason", "its figures are those of a test")

        assert accepted.code == DONE, accepted.output
        assert (watch(cluster)["verdict"], watch(cluster)["reason"]) == ("accepted", "its figures are those of a test")
        wait_until(lambda: supervisors(cluster) == [version_of(manifest)], timeout_seconds=120)


def promote_by_nomad(cluster: LocalCluster) -> None:
    """Promotes all three jobs with `nomad deployment promote` and the deploy token."""
    token = cluster.stack.output("deployToken")
    nomad = NomadClient(nomad_at(cluster.plan.nomad_url, token), query={"namespace": NAMESPACE})
    for job in ("worker", "scheduler", "api"):

        def is_healthy(job: str = job) -> bool:
            groups = nomad.get("job", job, "deployment")["TaskGroups"].values()
            return all(group["HealthyAllocs"] >= group["DesiredCanaries"] > 0 for group in groups)

        wait_until(is_healthy, timeout_seconds=CANARY_SECONDS)
    for job in ("worker", "scheduler", "api"):
        nomad.promote_deployment(nomad.get("job", job, "deployment")["ID"])


def watch(cluster: LocalCluster) -> dict[str, Any]:
    """The watch in `deploy status --json`, empty while nothing was watched."""
    status = deploy(cluster, "status", "--json")
    lines = [line for line in status.output.splitlines() if line.startswith("[")]
    reports = msgspec.json.decode(lines[0]) if lines else []
    found = [report["watch"] for report in reports if report["job"] == "api"]
    return (found[0] if found else None) or {}


def supervisors(cluster: LocalCluster) -> list[str]:
    """The releases of the running instances of the supervisor."""
    found = cluster.nomad.api.get("job", "supervisor", "allocations", namespace=NAMESPACE)
    running = [each["ID"] for each in found if each["ClientStatus"] == "running" and each["DesiredStatus"] == "run"]
    jobs = [cluster.nomad.api.get("allocation", each, namespace=NAMESPACE)["Job"] for each in running]
    return sorted({job["Meta"]["release"] for job in jobs})


def kill_supervisor(cluster: LocalCluster) -> None:
    """Kill -9 of every process of the job."""
    for job, task, process in tasks_of(cluster):
        if (job, task) == ("supervisor", "supervise"):
            os.kill(int(process.name), signal.SIGKILL)
