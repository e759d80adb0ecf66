"""The supervisor on a real Nomad and a real Prometheus: what it reverts, and what it does not change (R12.1, R12.3)."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cluster.tooling.deploy_site import ReleaseNode, Site, site_in
from tests.support.cluster.tooling.metrics_server import MetricsServer, serving_metrics
from tests.support.cluster.tooling.prometheus_server import measuring
from tests.support.cluster.tooling.releases import DIES_LATER, JOBS, SERVES, Release
from tests.support.servers import wait_until
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.supervision.figures import FigureReader
from upschedule.deploy.supervision.limits import WatchLimits
from upschedule.operations.embedded.ports import free_port

ONE, TWO, THREE = Release(name="one"), Release(name="two"), Release(name="three")
KILLED = Release(name="killed", programs={"api": DIES_LATER}, restarts=30)
DONE, NOTHING, FAILED = 0, 21, 11
WATCH_SECONDS = 8
OPTIONS = ("--slice-seconds", "1")


@dataclass(kw_only=True)
class Watched:
    """A site whose release `one` has settled, the metrics that a test sets, and a supervisor."""

    site: Site
    metrics: MetricsServer
    prometheus: str
    log: Path
    port: int
    process: subprocess.Popen[bytes]

    def start(self, seconds: float = 600) -> None:
        """Starts a supervisor instead of the one that ran."""
        self.process = start(self.site, self.prometheus, self.log, port=self.port, seconds=seconds)

    def verdict_shown(self) -> str:
        """The verdict in the supervisor's metrics, or an empty text while there is none."""
        page = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text
        return ", ".join(
            re.findall(r'^upschedule_release_verdict_time_seconds\{verdict="(.*)"\} 1\.', page, re.MULTILINE)
        )

    def releases_to_revert_to(self) -> str:
        """The value in its metrics. It is empty while there is none, and directly after the start of the process."""
        try:
            page = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text
        except httpx.TransportError:
            return ""
        found = re.search(r'^upschedule_releases_to_revert_to\{state="recorded"\} (.*)$', page, re.MULTILINE)
        return found[1] if found else ""

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def watch(self) -> dict[str, Any]:
        """The supervisor's report in `deploy status`, empty before its first check."""
        answer = self.site.deploy("status", "--json").text
        reports = json.loads(next(line for line in answer.splitlines() if line.startswith("[")))
        return next(each["watch"] for each in reports if each["job"] == "api") or {}

    def await_verdict(self, *verdicts: str, seconds: float = 90) -> dict[str, Any]:
        def reached() -> bool:
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            return self.watch().get("verdict") in verdicts

        wait_until(reached, timeout_seconds=seconds)
        return self.watch()

    def instances(self) -> list[str]:
        """Instances of the API that run and are not being stopped."""
        found = self.site.agent.call("GET", "job/api/allocations", namespace=self.site.namespace)
        return [each["ID"] for each in found if each["DesiredStatus"] == "run" and each["ClientStatus"] == "running"]

    def faults_counted(self) -> float:
        """The faults that Prometheus counts for the instance that has the most."""
        prometheus = Prometheus(Endpoint(name="Prometheus", address=self.prometheus))
        found = prometheus.samples('upschedule_http_requests_total{fault="yes"}')
        return max((float(each.value[1]) for each in found), default=0)

    def show(self, *, requests: int, faults: int) -> None:
        """Sets requests of the running instances. `faults` belong to one route."""
        lines: list[str] = []
        for instance in self.instances():
            for route, bad in (("/", 0), ("/api/v1/calendars", faults)):
                labels = f'alloc="{instance}",service="api",method="GET",route="{route}"'
                counts = [('status="200",fault="no"', requests - bad), ('status="500",fault="yes"', bad)]
                lines += [f"upschedule_http_requests_total{{{labels},{more}}} {count}" for more, count in counts]
                lines += [
                    f'upschedule_http_request_seconds_bucket{{{labels},le="{bound}"}} {requests}'
                    for bound in ("0.5", "2.0", "5.0", "+Inf")
                ]
        self.metrics.show("\n".join(lines) + "\n")


def start(site: Site, prometheus: str, log: Path, *, port: int, seconds: float) -> subprocess.Popen[bytes]:
    """Starts a supervisor with a token of the supervisor's rights."""
    command = [sys.executable, "-m", "upschedule", "deploy", "supervise", "--prometheus", prometheus, *OPTIONS]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command, "--port", str(port), "--seconds", str(seconds)],
            env=site.with_supervisor_token().environment,
            stdout=output,
            stderr=output,
        )


@contextmanager
def watched(release_node: ReleaseNode, folder: Path, *, first: Release = ONE) -> Iterator[Watched]:
    targets = folder / "targets.json"
    with site_in(release_node) as site, serving_metrics() as metrics, measuring(folder, targets) as prometheus:
        targets.write_text(json.dumps([{"targets": [f"127.0.0.1:{metrics.port}"]}]), encoding="utf-8")
        site.release(first)
        site.await_phase("settled")
        log, port = folder / "supervisor.log", free_port()
        running = Watched(
            site=site,
            metrics=metrics,
            prometheus=prometheus,
            log=log,
            port=port,
            process=start(site, prometheus, log, port=port, seconds=600),
        )
        try:
            running.await_verdict("not watched")
            yield running
        finally:
            running.kill()


def promote(site: Site, release: Release) -> None:
    """Promotes with Nomad's own command and does not wait."""
    site.release(release)
    site.await_phase("waiting")
    for job in JOBS:
        done = site.nomad("deployment", "promote", "-detach", site.deployment(job)["ID"])
        assert done.returncode == 0, done.stdout + done.stderr


def runs(site: Site, release: str) -> bool:
    return [site.running(job) for job in JOBS] == [{release}] * len(JOBS)


@pytest.mark.timeout(300)
def test_a_release_that_is_killed_again_and_again_is_reverted_although_the_supervisor_was_killed(
    release_node: ReleaseNode, tmp_path: Path
) -> None:
    """A single death may be the node's fault. A new supervisor continues the watch."""
    with watched(release_node, tmp_path) as all_:
        promote(all_.site, KILLED)
        all_.await_verdict("watching")
        all_.kill()
        wait_until(lambda: all_.site.restarts("api") > 1, timeout_seconds=60)
        assert all_.watch()["verdict"] == "watching"
        all_.start()

        found = all_.await_verdict("reverted")

        assert "task serve was killed (exit code 137)" in found["reason"]
        assert runs(all_.site, "one")
        assert [each["release"] for each in all_.site.records()] == ["one (c0ffeeone)"]
        wait_until(lambda: all_.verdict_shown() == "reverted")
        status = all_.site.deploy("status")
        # The token may not read the logs of tasks, so the supervisor does not try.
        assert "cannot be read" not in all_.log.read_text()
        assert ("watch: release killed (c0ffeekill): reverted at " in status.text, found["reason"] in status.text) == (
            True,
            True,
        ), status.text


@pytest.mark.timeout(300)
def test_a_route_that_fails_after_the_promotion_is_named_and_the_next_release_is_watched_as_well(
    release_node: ReleaseNode, tmp_path: Path
) -> None:
    """The test passes through each kind of verdict."""
    with watched(release_node, tmp_path) as all_:
        assert all_.releases_to_revert_to() == ""
        promote(all_.site, TWO)
        all_.await_verdict("watching")
        all_.site.await_phase("settled")
        requests = faults = 0
        while all_.watch()["verdict"] == "watching":
            requests, faults = requests + 40, faults + 20
            all_.show(requests=requests, faults=faults)
            wait_until(lambda faults=faults: all_.faults_counted() >= faults or all_.watch()["verdict"] != "watching")
        found = all_.await_verdict("reverted")

        assert found["reason"].startswith("GET /api/v1/calendars: faults ")
        assert "against no figures before" in found["reason"]
        assert runs(all_.site, "one")
        all_.metrics.show("")

        assert all_.site.deploy("accept", "--reason", "none").code == NOTHING
        all_.kill()
        all_.start(seconds=WATCH_SECONDS)
        promote(all_.site, THREE)
        passed = all_.await_verdict("passed")
        assert passed["reason"] == "no measurement exceeded its limit"
        assert "two (c0ffeetwo) reverted: GET /api/v1/calendars" in passed["decisions"][0]
        assert runs(all_.site, "three")
        assert [each["release"] for each in all_.site.records()] == ["one (c0ffeeone)", "three (c0ffeethre)"]
        all_.kill()
        all_.start()
        wait_until(lambda: all_.releases_to_revert_to() == "1.0", timeout_seconds=60)


@pytest.mark.timeout(300)
def test_a_person_keeps_a_release_against_its_figures_and_a_revert_by_hand_ends_the_watch(
    release_node: ReleaseNode, tmp_path: Path
) -> None:
    """Both decisions are recorded."""
    with watched(release_node, tmp_path) as all_:
        promote(all_.site, KILLED)
        all_.await_verdict("watching")
        accepted = all_.site.deploy("accept", "--reason", "the kills are known")
        assert accepted.code == DONE, accepted.text
        all_.site.await_phase("settled")
        wait_until(lambda: all_.site.restarts("api") > 1, timeout_seconds=60)
        report = all_.watch()
        assert (report["verdict"], report["reason"]) == ("accepted", "the kills are known")
        # An instance that is being restarted at this time does not count as running.
        assert [all_.site.versions(job)[0]["Meta"]["release"] for job in JOBS] == ["killed"] * len(JOBS)

        promote(all_.site, TWO)
        all_.await_verdict("watching")
        all_.site.await_phase("settled")
        back = all_.site.deploy("revert")
        assert back.code == DONE, back.text
        left = all_.await_verdict("left")
        assert "killed (c0ffeekill) accepted: the kills are known" in left["decisions"][0]


@contextmanager
def not_reverted(release_node: ReleaseNode, folder: Path) -> Iterator[tuple[Watched, Path]]:
    """A bad release that the supervisor could not revert. The earlier release starts once the file is deleted."""
    broken = folder / "broken"
    starts = f"import os\nif os.path.exists({str(broken)!r}): raise SystemExit(7)\n{SERVES}"
    with watched(release_node, folder, first=Release(name="one", programs={"worker": starts})) as all_:
        promote(all_.site, KILLED)
        all_.await_verdict("watching")
        assert all_.verdict_shown() == ""
        broken.touch()

        found = all_.await_verdict("not reverted", seconds=300)

        assert "the previous release could not be started" in found["reason"]
        wait_until(lambda: all_.verdict_shown() == "not reverted")
        yield all_, broken


@pytest.mark.timeout(400)
def test_a_release_that_cannot_be_reverted_stays_until_a_person_does_it(
    release_node: ReleaseNode, tmp_path: Path
) -> None:
    """The earlier release does not start at first. After the revert by hand the verdict is "left"."""
    with not_reverted(release_node, tmp_path) as (all_, broken):
        broken.unlink()
        back = all_.site.deploy("revert")
        assert back.code == DONE, back.text
        assert all_.await_verdict("left")["release"] == "killed (c0ffeekill)"
        wait_until(lambda: all_.verdict_shown() == "left")


@pytest.mark.timeout(400)
def test_a_release_that_could_not_be_reverted_is_kept_by_a_person(release_node: ReleaseNode, tmp_path: Path) -> None:
    """`accept` ends the alert ReleaseNotReverted as well: the verdict is "accepted", and no revert is tried again."""
    with not_reverted(release_node, tmp_path) as (all_, _):
        accepted = all_.site.deploy("accept", "--reason", "the release before does not start")
        assert accepted.code == DONE, accepted.text
        wait_until(lambda: all_.verdict_shown() == "accepted")
        report = all_.watch()
        assert (report["verdict"], report["reason"]) == ("accepted", "the release before does not start")
        assert report["release"] == "killed (c0ffeekill)"
        assert [all_.site.versions(job)[0]["Meta"]["release"] for job in JOBS] == ["killed"] * len(JOBS)


def page(counts: dict[str, int], *, stores_up: bool = True) -> str:
    """Metrics of requests to one route by allocation, half of which are faults."""
    lines = [f'upschedule_dependency_up{{service="worker",dependency="postgres"}} {int(stores_up)}']
    for instance, count in counts.items():
        labels = f'alloc="{instance}",service="api",method="GET",route="/"'
        lines += [
            f'upschedule_http_requests_total{{{labels},status="500",fault="yes"}} {count // 2}',
            f'upschedule_http_requests_total{{{labels},status="200",fault="no"}} {count - count // 2}',
            f'upschedule_http_request_seconds_bucket{{{labels},le="2.0"}} {count}',
            f'upschedule_http_request_seconds_bucket{{{labels},le="+Inf"}} {count}',
        ]
    return "\n".join(lines) + "\n"


def test_figures_are_those_of_before_and_of_each_slice_but_where_a_store_was_away(tmp_path: Path) -> None:
    """The figures come from a real Prometheus. A second reader, as after kill -9, reads the same."""
    targets = tmp_path / "targets.json"
    limits = WatchLimits(slice_seconds=3, baseline_seconds=60)
    with serving_metrics() as metrics, measuring(tmp_path, targets) as address:
        targets.write_text(json.dumps([{"targets": [f"127.0.0.1:{metrics.port}"]}]), encoding="utf-8")
        prometheus = Prometheus(Endpoint(name="Prometheus", address=address))

        def is_measured(instance: str, count: int) -> bool:
            query = f'sum(upschedule_http_requests_total{{alloc="{instance}"}})'
            return any(float(each.value[1]) == count for each in prometheus.samples(query))

        metrics.show(page({"old": 40}))
        wait_until(lambda: is_measured("old", 40), timeout_seconds=30)
        began = prometheus.now()
        assert began is not None
        metrics.show(page({"old": 50, "new": 10}))
        wait_until(lambda: is_measured("new", 10), timeout_seconds=30)
        wait_until(lambda: (prometheus.now() or 0) > began + 7, timeout_seconds=30)
        metrics.show(page({"old": 50, "new": 30}, stores_up=False))
        wait_until(lambda: is_measured("new", 30), timeout_seconds=30)
        wait_until(lambda: (prometheus.now() or 0) > began + 13, timeout_seconds=30)
        now = began + 12.5

        for reader in (FigureReader(prometheus, limits, began=began) for _ in range(2)):
            found = reader.read(["new"], now=now)

            assert {route: (each.requests, each.faults) for route, each in found.before.items()} == {"GET /": (40, 20)}
            counted = [each["GET /"].requests for each in found.slices if "GET /" in each]
            assert (sum(counted), len(found.slices)) == (10, 2)
