"""Gate, promotion and verification of the real processes behind Traefik, measured by Prometheus (R12.2 to R12.4)."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling import releases
from tests.support.cluster.tooling.consul_agent import ProtectedConsul
from tests.support.cluster.tooling.deploy_site import CommandOutput, Site
from tests.support.cluster.tooling.prometheus_server import measuring, running
from tests.support.cluster.tooling.releases import JOBS, Release
from tests.support.cluster.whole.bad_releases import LEAVES_AN_EXAM_OUT_OF_CALENDARS, LEAVES_OUT_AN_EXAM
from tests.support.cluster.whole.visits import reading
from tests.support.servers import wait_until
from upschedule.deploy.consul import consul_client
from upschedule.deploy.http import BRIEF
from upschedule.operations.embedded import executables
from upschedule.operations.embedded.ports import LOOPBACK, free_port

DONE, GATE_NOT_PASSED, PARTLY_KNOWN = 0, 20, 27
STARTING_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service that visitors and the gate of a release use."""

    site: Site
    url: str
    prometheus: str
    targets: Path
    environment: dict[str, str]

    def release(self, name: str, **programs: str) -> None:
        """Starts the real processes, except those given.

        Prometheus measures the API's new instances once they are placed.
        """
        known = self.instances()
        Release(
            name=name,
            programs={**releases.REAL, **programs},
            environment=self.environment,
            check_path="/health/ready",
            healthy_seconds=STARTING_SECONDS,
        ).start(self.site.agent, self.site.namespace)
        wait_until(lambda: self.instances().keys() - known.keys(), timeout_seconds=STARTING_SECONDS)
        self.measure()

    def instances(self) -> dict[str, tuple[str, bool]]:
        """Maps each allocation to its address and whether it is a canary."""
        consul = self.site.node.consul
        client = consul_client(f"http://{consul.address}", consul.tokens["deploy"], retries=BRIEF)
        _, entries = client.health.service("api")
        return {
            entry["Service"]["ID"].removeprefix("_nomad-task-")[:36]: (
                f"{entry['Service']['Address']}:{entry['Service']['Port']}",
                releases.CANARY_TAG in entry["Service"]["Tags"],
            )
            for entry in entries
        }

    def measure(self) -> None:
        """Writes the targets of Prometheus as the cluster's own template does."""
        targets = [
            {"targets": [address], "labels": {"service": "api", "alloc": id_, "canary": "yes" if canary else "no"}}
            for id_, (address, canary) in self.instances().items()
        ]
        self.targets.write_text(json.dumps(targets), encoding="utf-8")

    def promote(self, **environment: str) -> CommandOutput:
        """This Traefik has no routes from the job file, so the canary gets no share of the visitors."""
        where = ("--url", self.url, "--prometheus", self.prometheus)
        return self.site.deploy("promote", *where, "--requests", "12", "--shares", "none", **environment)


@pytest.fixture
def service(site: Site, own_environment: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    with ExitStack() as opened:
        url = opened.enter_context(traefik(tmp_path, site.node.consul))
        targets = tmp_path / "targets.json"
        prometheus = opened.enter_context(measuring(tmp_path, targets))
        environment = {**own_environment, "UPSCHEDULE_WEB_PUBLIC_URL": url}
        yield Service(site=site, url=url, prometheus=prometheus, targets=targets, environment=environment)


@contextmanager
def traefik(folder: Path, consul: ProtectedConsul) -> Iterator[str]:
    port = free_port()
    command = [
        str(executables.traefik()),
        f"--entrypoints.web.address={LOOPBACK}:{port}",
        f"--providers.consulcatalog.endpoint.address={consul.address}",
        f"--providers.consulcatalog.endpoint.token={consul.tokens['traefik']}",
        "--providers.consulcatalog.exposedbydefault=false",
        "--providers.consulcatalog.refreshinterval=1s",
        "--global.checknewversion=false",
    ]
    with running(command, folder / "traefik.log", lambda: httpx.get(f"http://{LOOPBACK}:{port}/").status_code == 404):
        yield f"http://{LOOPBACK}:{port}"


@pytest.mark.timeout(400)
def test_a_good_release_is_promoted_and_a_bad_one_is_reverted(service: Service, tmp_path: Path, figure: Figure) -> None:
    """The gate measures only the canary, and its decision applies to all jobs of the release."""
    site = service.site
    service.release("one")
    site.await_phase("settled")
    first = service.promote()
    assert first.code == DONE, first.text
    assert "Nothing waits for promotion. What runs is verified" in first.text

    away = service.promote(CONSUL_HTTP_ADDR=f"{LOOPBACK}:{free_port()}", UPSCHEDULE_DEPLOY_SILENCE_SECONDS="1")
    assert away.code == PARTLY_KNOWN, away.text
    assert "A server did not answer during the verification: worker: checks in Consul: Consul at " in away.text
    assert "Known: nothing was changed" in away.text

    service.release("two")
    good = service.promote()
    assert good.code == DONE, good.text
    for line in ("golden timetable", "golden calendar and feed", "deleting what was made", "canary in Prometheus"):
        assert f"ok      {line}" in good.text, good.text
    assert "Promoted and verified." in good.text
    assert [site.running(job) for job in JOBS] == [{"two"}] * len(JOBS)

    service.release("three", api=releases.SERVES)
    bad = service.promote()
    assert bad.code == GATE_NOT_PASSED, bad.text
    assert "Not ok: answers of the canary" in bad.text
    assert "Not ok: canary in Prometheus" in bad.text
    assert "The earlier release runs on all instances." in bad.text
    assert [site.running(job) for job in JOBS] == [{"two"}] * len(JOBS)

    for name, job, wrong in (
        ("four", "api", LEAVES_AN_EXAM_OUT_OF_CALENDARS),
        ("five", "worker", LEAVES_OUT_AN_EXAM),
    ):
        pages = [f"{service.url}{path}" for path in ("/", "/api/v1/capacity")]
        with reading(pages, patience_seconds=20, pause_seconds=0.2) as visits:
            began = time.monotonic()
            service.release(name, **{job: releases.changed(job, tmp_path / name, wrong.change)})
            refused = service.promote()
            figure(
                f"seconds from the registration of {name} until it was found and has gone back",
                time.monotonic() - began,
            )
        figure(f"requests answered meanwhile, beside {len(visits.failures)} that failed", visits.answered)
        assert visits.failures == []
        assert refused.code == GATE_NOT_PASSED, refused.text
        assert [reason for reason in wrong.reasons if reason not in refused.text] == [], refused.text
        assert [site.running(job) for job in JOBS] == [{"two"}] * len(JOBS)
    assert httpx.get(service.url, timeout=5).status_code == 200
