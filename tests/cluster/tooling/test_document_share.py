"""The gate gives a worker's canary its share of the documents and compares the results (issue 11, R12.2).

Nomad, its deploy token and Prometheus are real. Two processes count documents as workers do.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.support.cluster.tooling.deploy_site import ReleaseNode, Site, site_in
from tests.support.cluster.tooling.prometheus_server import measuring
from tests.support.cluster.tooling.reading_server import ReadingServer, reading
from tests.support.servers import wait_until
from upschedule.deploy.clock import Clock
from upschedule.deploy.comparison.documents import DocumentLimits
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint
from upschedule.deploy.nomad import NomadClient, nomad_endpoint
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.share import DocumentShareVariable
from upschedule.deploy.share_status import document_lines, document_share_report
from upschedule.deploy.shared_traffic import SharedTraffic, ShareLimits, WorkerCanary
from upschedule.operations.embedded.ports import LOOPBACK

pytestmark = pytest.mark.timeout(180)

LIMITS = ShareLimits(percents=(20, 50), step_seconds=6, last_seconds=20, slice_seconds=2)
Reader = Callable[[ReadingServer, int], None]


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The workers of both releases, and the gate's step that compares them."""

    old: ReadingServer
    canary: ReadingServer
    share: DocumentShareVariable
    traffic: SharedTraffic

    def findings(self, *, still_well: Callable[[], bool] = lambda: True) -> list[Finding]:
        worker = WorkerCanary(instance=self.canary.name, live=1)
        return self.traffic.findings(None, live=0, worker=worker, still_well=still_well)


@pytest.fixture(scope="module")
def site(release_node: ReleaseNode) -> Iterator[Site]:
    with site_in(release_node) as running:
        yield running


@pytest.fixture
def workers(site: Site, tmp_path: Path, limits: ShareLimits) -> Iterator[Workers]:
    targets = tmp_path / "targets.json"
    nomad = NomadClient(nomad_endpoint(site.environment), query={"namespace": site.namespace})
    with reading("old") as old, reading("canary") as canary, measuring(tmp_path, targets) as address:
        known = [
            {"targets": [f"{LOOPBACK}:{each.port}"], "labels": {"service": "worker", "alloc": each.name}}
            for each in (old, canary)
        ]
        targets.write_text(json.dumps(known), encoding="utf-8")
        prometheus = Prometheus(Endpoint(name="Prometheus", address=address))
        wait_until(lambda: len(prometheus.samples('up{service="worker"} == 1')) == 2, timeout_seconds=60)
        traffic = SharedTraffic(
            nomad=nomad,
            prometheus=prometheus,
            site=Endpoint(name="The service", address=address),
            clock=Clock(),
            report=print,
            limits=limits,
            silence_seconds=60,
        )
        yield Workers(old=old, canary=canary, share=DocumentShareVariable(nomad), traffic=traffic)


@pytest.fixture
def limits() -> ShareLimits:
    return LIMITS


@contextmanager
def documents(workers: Workers, reads: Reader) -> Iterator[None]:
    """Delivers about 40 documents a second. The canary gets the share in the variable and reads them with `reads`."""
    over = threading.Event()

    def deliver() -> None:
        rng, number = Random(4), 0  # noqa: S311 - varied, not secret
        while not over.is_set():
            share = workers.share.read()
            percent = share.percent if share and share.instance == "canary" and time.time() < share.until else 0
            for _ in range(10):
                number += 1
                if rng.random() < percent / 100:
                    reads(workers.canary, number)
                else:
                    well(workers.old, number)
            over.wait(0.25)

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def well(worker: ReadingServer, number: int) -> None:
    """Good documents: of three, one is an exam schedule, one is a lecture schedule, and one is refused."""
    if number % 3 == 2:
        worker.read("unknown", "not-a-schedule")
    else:
        worker.read(("exams", "lectures")[number % 3], "read", 8)


def without_the_first_exam(worker: ReadingServer, number: int) -> None:
    if number % 3 == 0:
        worker.read("exams", "read", 7)
    else:
        well(worker, number)


def refusing_exams(worker: ReadingServer, number: int) -> None:
    if number % 3 == 0:
        worker.read("unknown", "reading-failed")
    else:
        well(worker, number)


@pytest.mark.parametrize(
    ("reads", "finding"),
    [
        (
            without_the_first_exam,
            r"exams: at most 7 events in [1-9]\d* of \d+ against 0 of \d+ documents, by chance once",
        ),
        (refusing_exams, r"refused as `reading-failed` [1-9].* by chance once in .*; most of all exams: read 0 of "),
    ],
)
def test_a_canary_that_reads_worse_is_found_by_layout_while_it_has_a_share(
    workers: Workers, reads: Reader, finding: str
) -> None:
    with documents(workers, reads):
        found = workers.findings()
    assert not any(each.ok or each.unsure for each in found), found
    assert found[0].detail.startswith("worse after "), found
    assert any(re.match(finding, each.detail) for each in found), [each.detail for each in found]
    assert workers.share.read() is None


def test_an_equally_good_canary_is_passed_and_status_shows_both(workers: Workers) -> None:
    """The report names the number of documents, and each step has its share."""
    percents: list[int] = []
    shown: list[str] = []

    def look() -> bool:
        share = workers.share.read()
        assert share is not None
        percents.append(share.percent)
        report = document_share_report(workers.traffic.nomad, workers.traffic.prometheus)
        assert report is not None
        shown[:] = document_lines(report)
        return True

    with documents(workers, well):
        (found,) = workers.findings(still_well=look)
    assert found.ok, found
    assert "documents beside" in found.detail
    assert sorted(set(percents)) == percents[:1] + percents[-1:] == [20, 50]
    assert shown[0] == "  the canary gets 50 % of the documents; both releases since the comparison began:"
    assert any(line.split()[:2] == ["exams", "old"] for line in shown), shown
    assert workers.share.read() is None


def test_without_documents_the_release_is_not_held_and_the_finding_says_that_nothing_is_sure(workers: Workers) -> None:
    (found,) = workers.findings()
    assert (found.ok, found.detail.startswith("not sure after 0 documents beside 0")) == (True, True)


@pytest.mark.parametrize(
    "limits",
    [
        ShareLimits(
            percents=(50,), step_seconds=1, last_seconds=2, slice_seconds=1, documents=DocumentLimits(documents_min=1)
        )
    ],
)
def test_where_documents_are_demanded_the_gate_is_not_sure_without_them(workers: Workers) -> None:
    (found,) = workers.findings()
    assert (found.ok, found.unsure) == (False, True)


def test_the_share_ends_with_the_comparison_whatever_ends_it(workers: Workers) -> None:
    """The causes are a canary that fails, and Ctrl-C."""

    def interrupted() -> bool:
        assert workers.share.read() is not None
        raise KeyboardInterrupt

    (found,) = workers.findings(still_well=lambda: False)
    assert not found.ok
    assert workers.share.read() is None
    with pytest.raises(KeyboardInterrupt):
        workers.findings(still_well=interrupted)
    assert workers.share.read() is None
