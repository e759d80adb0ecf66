"""No alert reaches a person while all is well: under steady load, during a good release and a scaling (R6.4).

The steady load lasts ten minutes, or QUIET_SECONDS (`nox -s cluster_quiet`: an hour).
"""

import datetime as dt
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.instances import await_well
from tests.support.cluster.whole.releases import deploy, harmless, make_release, tried, unlimited_traffic
from tests.support.cluster.whole.scaling import await_passing, grow, running, scale, scaled_by_hand
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

STEADY_SECONDS = float(os.environ.get("QUIET_SECONDS", "600"))
pytestmark = [pytest.mark.timeout(STEADY_SECONDS + 3000), pytest.mark.long]
WORKERS, FEW = 20, 2
#: Documents that are uploaded at the same time: a machine with 20 workers has more than two cores.
AT_ONCE = 4
READERS, PAUSE_SECONDS = 4, 0.5
EVERY_SECONDS = 20.0
POLL_SECONDS = 2.0
SHRUNK_SECONDS = 900.0
#: Facts about the machine, which other programs use as well, and not about the service.
OF_THE_MACHINE = {"ProcessorBusy", "MemoryNearlyFull", "TaskOutOfMemory"}


def test_no_alert_fires_under_steady_load(cluster: LocalCluster, figure: Figure) -> None:
    """Readers, and an upload every 20 s."""
    with alerts(cluster) as fired, unlimited_traffic(cluster, readers=READERS, pause_seconds=PAUSE_SECONDS) as students:
        ends = time.monotonic() + STEADY_SECONDS
        for seed in range(int(STEADY_SECONDS / EVERY_SECONDS)):
            began = time.monotonic()
            students.upload([document(seed, rows_max=20)], at_once=1).result()
            following = min(ends, began + EVERY_SECONDS)
            wait_until(lambda following=following: time.monotonic() > following, timeout_seconds=2 * EVERY_SECONDS)
        figure("requests answered under steady load", students.seen.answered)
        figure("s that a request took at most under steady load", students.seen.slowest_seconds)
    assert students.seen.failures == []
    assert fired == {}


def test_no_alert_fires_during_a_good_release(cluster: LocalCluster, tmp_path: Path) -> None:
    """From `pulumi up` to the end of the promotion, and while the release before returns."""
    manifest = make_release(cluster, tmp_path / "clone", harmless("good"))
    with alerts(cluster) as fired, unlimited_traffic(cluster, readers=READERS, pause_seconds=PAUSE_SECONDS) as students:
        with tried(cluster, {"release": manifest}):
            promoted = deploy(cluster, "promote")
            assert promoted.code == 0, promoted.output
            students.upload([document(seed, rows_max=20) for seed in range(4)], at_once=2).result()
        await_well(cluster)
    assert students.seen.failures == []
    assert fired == {}


def test_no_alert_fires_while_workers_grow_from_2_to_20_and_shrink(cluster: LocalCluster, figure: Figure) -> None:
    """The test changes the number, and the new workers read documents."""
    with (
        alerts(cluster) as fired,
        scaled_by_hand(cluster),
        unlimited_traffic(cluster, readers=READERS, pause_seconds=PAUSE_SECONDS) as students,
    ):
        scale(cluster, "worker", FEW)
        await_passing(cluster, "worker", FEW)
        began = time.monotonic()
        grow(cluster, "worker", WORKERS)
        figure(f"s from {FEW} to {WORKERS} workers whose checks pass", time.monotonic() - began)
        students.upload([document(seed, rows_max=40) for seed in range(2 * WORKERS)], at_once=AT_ONCE).result()
        scale(cluster, "worker", FEW)
        wait_until(lambda: running(cluster, "worker") == FEW, timeout_seconds=SHRUNK_SECONDS)
    assert students.seen.failures == []
    assert fired == {}


@contextmanager
def alerts(cluster: LocalCluster) -> Iterator[dict[str, str]]:
    """Collects the alerts that Alertmanager would send to a person: those that nothing inhibits or silences.

    Each has the sentence with which it was seen first.
    """
    url = f"http://{cluster.plan.address('alertmanagerPort')}/api/v2/alerts"
    query = {"active": "true", "inhibited": "false", "silenced": "false"}
    fired: dict[str, str] = {}
    since = dt.datetime.now(dt.UTC)
    ended = threading.Event()

    def collect() -> None:
        while not ended.wait(POLL_SECONDS):
            try:
                found = httpx.get(url, params=query, timeout=20).raise_for_status().json()
            except httpx.TransportError:
                continue  # The next answer has the same alerts.
            # Others have the causes of tests before: a release that was reverted is an alert for an hour.
            for each in found:
                name, severity = each["labels"]["alertname"], each["labels"]["severity"]
                began = dt.datetime.fromisoformat(each["startsAt"])
                if began > since and severity != "none" and name not in OF_THE_MACHINE:
                    fired.setdefault(name, f"{began:%H:%M:%S} {each['annotations']['summary']}")

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield fired
    finally:
        ended.set()
        thread.join()
