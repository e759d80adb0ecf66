"""A canary's share of the visitors: Traefik's unchanged job, two servers, and Nomad's variable (issue 11, R12.2)."""

import collections
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.support.cluster.tooling.authority import self_signed
from tests.support.cluster.tooling.deploy_site import deploy_token
from tests.support.cluster.tooling.echo_server import register, registering
from tests.support.cluster.tooling.edge import Edge, Node, running_edge
from tests.support.cluster.tooling.prometheus_server import measuring
from tests.support.cluster.tooling.visited_server import Visited, visited
from tests.support.servers import wait_until
from upschedule.deploy.clock import Clock
from upschedule.deploy.comparison.rules import ComparisonLimits
from upschedule.deploy.http import Endpoint
from upschedule.deploy.nomad import NomadClient, nomad_at
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.share import Share, ShareVariable
from upschedule.deploy.shared_traffic import CanaryInstance, SharedTraffic, ShareLimits
from upschedule.operations.embedded.ports import LOOPBACK

VISITORS = 600
#: Four standard deviations of a random draw. Traefik itself alternates, so its split is more even.
SPREAD = 4 * (VISITORS * 0.2 * 0.8) ** 0.5
SECONDS = 3.0
RULE = "PathPrefix(`/`)"
COOKIE = "upschedule-share"
FEED = "/calendars/abc.ics"

pytestmark = pytest.mark.timeout(180)


@dataclass(kw_only=True)
class Site:
    """The edge with an old release and a canary. `client` trusts it."""

    edge: Edge
    nomad: NomadClient
    shares: ShareVariable
    client: httpx.Client
    old: Visited
    canary: Visited

    def browser(self) -> httpx.Client:
        """A client that keeps cookies."""
        return browser(self.edge)

    @contextmanager
    def slow_canary(self, folder: Path, *, one_in: int, seconds: float) -> Iterator[None]:
        """Replaces the canary by a slow one while the block runs."""
        self.canary.kill()
        with visited("canary", folder, port=self.canary.port, one_in=one_in, delayed_seconds=seconds) as self.canary:
            yield

    def ask(self, path: str = "/", *, cookies: dict[str, str] | None = None, **options: object) -> httpx.Response:
        """Sends a request as a visitor without cookies, except those given."""
        self.client.cookies.clear()
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())}
        method = "POST" if "content" in options else "GET"
        return self.client.request(method, path, headers=headers if cookies else {}, **options)  # type: ignore[arg-type]

    def answers(
        self, count: int, path: str = "/", *, cookies: dict[str, str] | None = None
    ) -> collections.Counter[str]:
        """The number of answers by server."""
        return collections.Counter(self.ask(path, cookies=cookies).json()["name"] for _ in range(count))

    def give(self, percent: int, *, instance: str = "canary", seconds: float = 600) -> None:
        """Sets the share and returns once Traefik applies it."""
        now = int(time.time())
        self.shares.write(
            Share(
                instance=instance,
                address=f"{LOOPBACK}:{self.canary.port}",
                percent=percent,
                until=now + int(seconds),
                since=now,
            )
        )
        wait_until(lambda: abs(self.answers(20)["canary"] - 20 * percent / 100) <= 1)

    def take(self) -> None:
        """Removes the share and returns once Traefik applies it."""
        self.shares.remove()
        wait_until(lambda: COOKIE not in self.ask().headers.get("set-cookie", ""))

    def cookie_of(self, name: str) -> dict[str, str]:
        """The cookie of a visitor that this server answered."""
        for _ in range(200):
            answer = self.ask()
            if answer.json()["name"] == name:
                return {COOKIE: answer.cookies[COOKIE]}
        raise AssertionError(f"{name} has answered nobody")


@pytest.fixture(scope="module")
def edge(edge_node: Node, folder: Path) -> Iterator[Edge]:
    certificate = self_signed(folder, "given", f"IP:{LOOPBACK}")
    items = {
        "certificate": certificate.certificate.read_text(),
        "key": certificate.key.read_text(),
    }
    with running_edge(Edge(node=edge_node, variables={"domain": ""}, roots=certificate.certificate), items) as up:
        yield up


def browser(edge: Edge) -> httpx.Client:
    """A client that trusts the site and keeps its cookies."""
    return httpx.Client(base_url=f"https://{LOOPBACK}:{edge.https_port}", verify=edge.context(), timeout=20)


@pytest.fixture
def site(edge: Edge, tmp_path: Path) -> Iterator[Site]:
    """A site without a share at the beginning, whatever an earlier test left."""
    agent = edge.node.agent
    catalog = registering(edge.node.consul)
    token = deploy_token(agent, "default")
    nomad = NomadClient(nomad_at(agent.address, token), query={"namespace": "default"})
    with (
        visited("old", tmp_path) as old,
        visited("canary", tmp_path) as canary,
        browser(edge) as client,
    ):
        register(catalog, old.port, RULE)
        register(catalog, canary.port, RULE, id_="canary", tags=TAGS_OF_A_CANARY)
        certificate = Site(edge=edge, nomad=nomad, shares=ShareVariable(nomad), client=client, old=old, canary=canary)
        wait_until(lambda: certificate.ask().status_code == 200 and certificate.ask().json()["name"] == "old")
        yield certificate
        certificate.shares.remove()
        for name in ("echo", "canary"):
            assert catalog.service.deregister(name)
        wait_until(lambda: certificate.ask().status_code == 503)


def test_a_share_of_new_visitors_meets_the_canary_until_it_is_taken_back(site: Site) -> None:
    """Before and afterwards the canary gets no visitor. Traefik is not restarted."""
    before = site.edge.allocation()
    assert site.answers(50) == {"old": 50}

    site.give(20)
    assert abs(site.answers(VISITORS)["canary"] - 0.2 * VISITORS) <= SPREAD

    site.take()
    assert site.answers(50) == {"old": 50}
    task = site.edge.node.agent.call("GET", f"allocation/{before}")["TaskStates"]["traefik"]
    assert (site.edge.allocation(), task["Restarts"]) == (before, 0)


def test_a_visitor_stays_with_the_canary_while_the_share_grows(site: Site) -> None:
    """Some visitors of the old release move to the canary then. The share is that of all visitors."""
    site.give(20)
    theirs, others = site.cookie_of("canary"), site.cookie_of("old")
    assert site.answers(40, cookies=theirs) == {"canary": 40}
    assert site.answers(40, cookies=others) == {"old": 40}

    site.give(50)
    assert site.answers(40, cookies=theirs) == {"canary": 40}
    assert abs(site.answers(40, cookies=others)["canary"] - 20) <= 1


def test_the_cookie_is_for_this_site_only_and_feeds_get_none(site: Site) -> None:
    """Requests of calendar programs are split as well."""
    site.give(20)
    assert [site.ask(FEED).headers.get("set-cookie") for _ in range(40)] == [None] * 40
    assert abs(site.answers(100, FEED)["canary"] - 20) <= 1
    words = site.ask().headers["set-cookie"].split("; ")
    assert words[0].startswith(f"{COOKIE}=")
    assert set(words[1:]) == {"Path=/", "Max-Age=3600", "HttpOnly", "Secure", "SameSite=Lax"}


def test_uploads_and_streams_reach_the_canary(site: Site) -> None:
    """An upload arrives complete, and a stream's events arrive as they are sent."""
    site.give(50)
    theirs = site.cookie_of("canary")
    body = b"x" * 3_000_000
    assert site.ask(cookies=theirs, content=body).json() == {"name": "canary", "received": len(body)}
    assert site.ask("/stream", cookies=theirs).text.split("\n\n")[:3] == [f"data: canary {each}" for each in range(3)]


def killed(site: Site) -> None:
    site.canary.kill()


def hung(site: Site) -> None:
    site.canary.stop()


def unwell(site: Site) -> None:
    site.canary.unwell.touch()


@pytest.mark.parametrize("fault", [killed, unwell, hung])
def test_a_canary_that_is_dead_or_unwell_gets_nothing_within_seconds(site: Site, fault: Callable[[Site], None]) -> None:
    """This includes its own visitors, and works while Consul is unreachable, since Traefik checks the canary itself."""
    site.give(50)
    theirs = site.cookie_of("canary")
    with away(site.edge.node.consul.address):
        fault(site)
        if fault is killed:
            # Visitors of the failing canary are served by the old release, including uploads.
            assert site.ask(cookies=theirs).json()["name"] == "old"
            assert site.ask(cookies=theirs, content=b"x" * 100_000).json() == {"name": "old", "received": 100_000}
        else:
            time.sleep(SECONDS)
        assert site.answers(60, cookies=theirs) == {"old": 60}
        assert site.answers(60) == {"old": 60}


@contextmanager
def away(consul: str) -> Iterator[None]:
    """Stops Consul's process for the block, so that it does not answer."""
    port = consul.rpartition(":")[2]
    (process,) = (
        each
        for each in Path("/proc").glob("[0-9]*")
        if f"-http-port={port}".encode() in read(each / "cmdline").split(b"\0")
    )
    os.kill(int(process.name), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(int(process.name), signal.SIGCONT)


def test_a_share_is_taken_back_while_consul_is_away(site: Site) -> None:
    """The share can be set as well, since neither needs Consul."""
    with away(site.edge.node.consul.address):
        site.give(50)
        site.take()
        assert site.answers(30) == {"old": 30}


def test_a_share_that_is_left_behind_expires(site: Site) -> None:
    """This happens after `kill -9` of the command that set it."""
    site.give(50, seconds=4)
    wait_until(lambda: site.answers(20) == {"old": 20}, timeout_seconds=4 + SECONDS)
    assert site.shares.read() is not None


def test_a_share_never_applies_to_another_instance_at_the_same_address(site: Site) -> None:
    """The port may belong to another process by then."""
    site.canary.kill()
    with visited("stranger", site.canary.unwell.parent, port=site.canary.port):
        now = int(time.time())
        address = f"{LOOPBACK}:{site.canary.port}"
        site.shares.write(Share(instance="canary", address=address, percent=50, until=now + 600, since=now))
        wait_until(lambda: COOKIE in site.ask().headers.get("set-cookie", ""))
        time.sleep(SECONDS)
        assert site.answers(60) == {"old": 60}


TAGS_OF_A_CANARY = [
    "traefik.enable=true",
    "traefik.consulcatalog.canary=true",
    f"traefik.http.routers.api-canary.rule={RULE} && Header(`X-Upschedule-Canary`, `yes`)",
    "traefik.http.routers.api-canary.priority=20",
    "traefik.http.routers.api-canary.entrypoints=websecure",
    "traefik.http.routers.api-canary.middlewares=public@file",
    "traefik.http.services.api-canary.loadbalancer.server.scheme=http",
]
LIMITS = ShareLimits(
    percents=(20, 50),
    step_seconds=4,
    last_seconds=40,
    slice_seconds=2,
    synthetic_per_second=60,
    comparison=ComparisonLimits(faults_more_max=0.03, false_alarm_max=0.05, confidence=0.95),
)


@contextmanager
def compared(site: Site, folder: Path, *, limits: ShareLimits = LIMITS) -> Iterator[SharedTraffic]:
    """The gate's step, with a Prometheus that measures both servers."""
    targets = folder / "targets.json"
    with measuring(folder, targets) as prometheus:
        known = [
            {"targets": [f"{LOOPBACK}:{each.port}"], "labels": {"service": "api", "alloc": each.name}}
            for each in (site.old, site.canary)
        ]
        targets.write_text(json.dumps(known), encoding="utf-8")
        source = Prometheus(Endpoint(name="Prometheus", address=prometheus))
        wait_until(lambda: len(source.samples('up{service="api"} == 1')) == 2, timeout_seconds=60)
        yield SharedTraffic(
            nomad=site.nomad,
            prometheus=source,
            site=Endpoint(
                name="The service",
                address=f"https://{LOOPBACK}:{site.edge.https_port}",
                ca_file=str(site.edge.roots),
            ),
            clock=Clock(),
            report=print,
            limits=limits,
            silence_seconds=60,
        )


@contextmanager
def visitors(site: Site, count: int = 20) -> Iterator[None]:
    """Simulates this many visitors at once while the block runs. Each gets a new cookie after 20 pages."""
    over = threading.Event()

    def person() -> None:
        while not over.is_set():
            with site.browser() as client:
                for _ in range(20):
                    if not over.is_set():
                        client.get("/").raise_for_status()

    with ThreadPoolExecutor(count) as pool:
        try:
            people = [pool.submit(person) for _ in range(count)]
            yield
        finally:
            over.set()
    for each in people:
        each.result()


def canary_of(site: Site) -> CanaryInstance:
    return CanaryInstance(instance="canary", address=f"{LOOPBACK}:{site.canary.port}")


def test_a_canary_as_good_as_the_old_release_is_not_worse_at_night(site: Site, tmp_path: Path) -> None:
    """Without visitors, the gate's own requests decide, and its finding says so. The share ends afterwards."""
    with compared(site, tmp_path) as traffic:
        found = traffic.findings(canary_of(site), live=1, still_well=lambda: True)
    assert [each.ok for each in found] == [True], found[0].detail
    counted = re.search(r"^not worse after (\d+) requests \(the gate's own: (\d+)\)", found[0].detail)
    assert counted, found[0].detail
    assert int(counted[2]) > 0.9 * int(counted[1]) > 0
    assert site.shares.read() is None
    wait_until(lambda: site.answers(20) == {"old": 20})


def test_a_canary_that_delays_one_request_in_22_is_found_by_its_visitors(site: Site, tmp_path: Path) -> None:
    """Its 95th percentile is as good as that of the old release (issue 11)."""
    limits = msgspec.structs.replace(LIMITS, step_seconds=10)
    with (
        site.slow_canary(tmp_path, one_in=22, seconds=3),
        compared(site, tmp_path, limits=limits) as traffic,
        visitors(site),
    ):
        found = traffic.findings(canary_of(site), live=1, still_well=lambda: True)
    assert not any(each.ok or "not sure" in each.detail for each in found), found
    # The comparison ends with the first bound that shows the difference, of the route or of all requests together.
    assert any(re.match(r"(GET /|all requests): slower than \S+ s [1-9]", each.detail) for each in found), found
    assert site.shares.read() is None


def test_a_few_requests_are_not_enough(site: Site, tmp_path: Path) -> None:
    """An uncertain result does not pass."""
    limits = msgspec.structs.replace(LIMITS, step_seconds=1, last_seconds=2, synthetic_per_second=1)
    with compared(site, tmp_path, limits=limits) as traffic:
        (found,) = traffic.findings(canary_of(site), live=1, still_well=lambda: True)
    assert (found.ok, found.unsure, "not sure" in found.detail) == (False, True, True)


def test_the_share_ends_with_the_comparison_whatever_ends_it(site: Site, tmp_path: Path) -> None:
    """The causes are a canary that fails, Ctrl-C, and a lost Prometheus.

    The last leaves the gate without a result (exit code 28).
    """

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with compared(site, tmp_path) as traffic:
        (found,) = traffic.findings(canary_of(site), live=1, still_well=lambda: False)
        assert not found.ok
        assert site.shares.read() is None
        with pytest.raises(KeyboardInterrupt):
            traffic.findings(canary_of(site), live=1, still_well=interrupted)
        assert site.shares.read() is None
    (found,) = traffic.findings(canary_of(site), live=1, still_well=lambda: True)
    assert (found.ok, found.unsure, "Prometheus" in found.detail) == (False, True, True)
    assert site.shares.read() is None


def read(path: Path) -> bytes:
    """Returns empty bytes if the process has ended in the meantime."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
