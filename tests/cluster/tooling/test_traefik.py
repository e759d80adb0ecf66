"""Traefik's unchanged job, with a certificate of the stack, in front of a server in Consul's catalog (R8.3, R10.4)."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.authority import self_signed
from tests.support.cluster.tooling.echo_server import Echo, running_echo
from tests.support.cluster.tooling.edge import DOMAIN, NOBODY, RULE, Edge, Node, put_secrets, running_edge
from tests.support.cluster.whole.visits import visiting
from tests.support.processes.health_pages import metric
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import LOOPBACK

CAP_NET_BIND_SERVICE = 1 << 10
YEAR_SECONDS = 31_536_000
REQUESTS = 50
HIDDEN = ("/metrics", "/metrics/x", "/health/ready", "/health/ready/", "//metrics", "/health/./ready", "/x/../metrics")
INSIDE = ("/ping", "/dashboard/", "/api/rawdata", "/faults/502")

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def edge(edge_node: Node, folder: Path) -> Iterator[Edge]:
    pair = self_signed(folder, "given", f"DNS:{DOMAIN}")
    with running_edge(
        Edge(node=edge_node, variables={}, roots=pair.certificate),
        items(pair.certificate, pair.key),
    ) as up:
        yield up


@pytest.fixture
def echo(edge: Edge) -> Iterator[Echo]:
    """The only server that Traefik knows."""
    with running_echo(edge.node.consul, RULE) as server:
        wait_until(lambda: edge.request("GET", "/").status_code == 200)
        server.asked.clear()
        yield server
    wait_until(lambda: edge.request("GET", "/").status_code == 503)


def items(certificate: Path, key: Path) -> dict[str, str]:
    return {"certificate": certificate.read_text(), "key": key.read_text()}


def test_http_leads_to_https_for_ever_and_keeps_path_and_query(edge: Edge) -> None:
    """A method other than GET stays the same (R8.3)."""
    url = f"http://{LOOPBACK}:{edge.http_port}/calendars/x.ics?a=1&b=%20"
    answers = {method: httpx.request(method, url, headers={"Host": DOMAIN}) for method in ("GET", "POST")}

    assert {method: answer.status_code for method, answer in answers.items()} == {"GET": 301, "POST": 308}
    expected = f"https://{DOMAIN}:{edge.https_port}/calendars/x.ics?a=1&b=%20"
    assert {answer.headers["location"] for answer in answers.values()} == {expected}


@pytest.mark.usefixtures("echo")
def test_every_answer_tells_browsers_to_stay_with_https_and_hides_the_server(edge: Edge) -> None:
    """The headers do not depend on whether an instance or Traefik itself answers (R8.3)."""
    for answer in (edge.request("GET", "/"), edge.request("GET", "/metrics")):
        assert answer.headers.get_list("strict-transport-security") == [f"max-age={YEAR_SECONDS}"]
        assert answer.headers.get_list("x-frame-options") == ["DENY"]
        assert "server" not in answer.headers


@pytest.mark.usefixtures("echo")
def test_a_clients_address_is_the_one_it_comes_from_whatever_it_says(edge: Edge) -> None:
    """No other spelling of the header reaches the API either."""
    spoofed = dict.fromkeys(("X-Forwarded-For", "X-Real-Ip", "X_Forwarded_For", "X.Forwarded.For"), "203.0.113.7")
    headers = edge.request("GET", "/", headers=spoofed).json()["headers"]

    assert [value for name, value in headers if name.lower() == "x-forwarded-for"] == [LOOPBACK]
    assert "203.0.113.7" not in str(headers)


def openssl(edge: Edge, *options: str) -> str:
    """Runs a handshake and returns its result."""
    command = ["openssl", "s_client", "-connect", f"{LOOPBACK}:{edge.https_port}", *options]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
    ).stderr


def test_only_tls_1_2_and_newer_with_strong_ciphers_is_spoken(edge: Edge) -> None:
    """The server refuses these handshakes, since the client would accept them (R8.3)."""
    name = ("-servername", DOMAIN)
    for version in ("-tls1", "-tls1_1"):
        assert "alert protocol version" in openssl(edge, *name, version, "-cipher", "ALL:@SECLEVEL=0")
    weak = openssl(edge, *name, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:AES128-SHA:@SECLEVEL=0")
    assert "alert handshake failure" in weak
    for version in ("-tls1_2", "-tls1_3"):
        assert "alert" not in openssl(edge, *name, version)


@pytest.mark.parametrize("name", [("-noservername",), ("-servername", "other.test")])
def test_a_handshake_for_another_name_is_refused(edge: Edge, name: tuple[str, ...]) -> None:
    """Programs that scan addresses get no certificate."""
    assert "alert" in openssl(edge, *name)


def test_another_host_has_nothing_here(edge: Edge, echo: Echo) -> None:
    """The request is refused although the handshake was for the right name."""
    answer = edge.request("GET", "/", host="other.test")

    assert answer.status_code == 404
    assert not echo.asked


def test_metrics_and_readiness_are_not_public(edge: Edge, echo: Echo) -> None:
    """The request is refused even where a route of the API would accept it, as the one of this test does."""
    assert {path: status_of(edge, path) for path in HIDDEN} == dict.fromkeys(HIDDEN, "404")
    assert not echo.asked


def status_of(edge: Edge, path: str) -> str:
    """Sends the path unchanged, since a client library would normalise it."""
    with (
        socket.create_connection((LOOPBACK, edge.https_port), timeout=20) as connection,
        edge.context().wrap_socket(connection, server_hostname=DOMAIN) as secure,
    ):
        secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {edge.authority}\r\nConnection: close\r\n\r\n".encode())
        return secure.makefile("rb").readline().split()[1].decode()


def test_traefiks_own_pages_answer_inside_only(edge: Edge, echo: Echo) -> None:
    """There is no dashboard."""
    for path in INSIDE:
        assert edge.request("GET", path).json()["path"] == path
    assert echo.asked == list(INSIDE)
    assert edge.inside("/ping").status_code == 200
    assert "traefik_entrypoint_requests_total" in edge.inside("/metrics").text
    assert {edge.inside(path).status_code for path in ("/dashboard/", "/api/rawdata")} == {404}


@pytest.mark.usefixtures("echo")
def test_paths_and_headers_that_could_be_misread_are_refused(edge: Edge) -> None:
    """The test sends an encoded slash, and headers of more than 32 KiB."""
    unclear = edge.request("GET", "/api%2Fv1")
    assert (unclear.status_code, unclear.headers["content-type"]) == (400, "application/problem+json")
    assert edge.request("GET", "/", headers={"X-Long": "x" * 60_000}).status_code == 431


@pytest.mark.usefixtures("echo")
@pytest.mark.parametrize("body", [b"ZZ\r\n", b"3\r\nabc\r\nQQ\r\n"])
def test_a_body_that_is_malformed_is_the_clients_error(edge: Edge, body: bytes) -> None:
    """By default, Traefik answers 500, as if the service had failed."""
    head = f"POST / HTTP/1.1\r\nHost: {edge.authority}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        socket.create_connection((LOOPBACK, edge.https_port), timeout=20) as connection,
        edge.context().wrap_socket(connection, server_hostname=DOMAIN) as secure,
    ):
        secure.sendall(head.encode() + body)
        answer = secure.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"application/problem+json" in answer


@pytest.mark.parametrize(("accept", "kind"), [("*/*", "application/problem+json"), ("text/html", "text/html")])
def test_without_a_healthy_instance_an_answer_says_so_in_words(edge: Edge, accept: str, kind: str) -> None:
    """The answer has the time after which to retry."""
    answer = edge.request("GET", "/", headers={"Accept": accept})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"].startswith(kind)
    assert "Try again in a few seconds" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_post_that_an_instance_has_seen_is_never_sent_again(edge: Edge, echo: Echo) -> None:
    """The request may have changed something. The answer is a problem document."""
    answer = edge.request("POST", "/silent", content=b"{}")

    assert echo.asked == ["/silent"]
    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Gateway",
        "status": 502,
        "detail": "The service did not answer. Try again in a few seconds.",
    }


def test_answers_and_bodies_are_passed_on_as_they_come(edge: Edge, echo: Echo) -> None:
    """A stream's first event arrives before its last is created. An upload is refused before it was sent completely."""
    url = f"https://{LOOPBACK}:{edge.https_port}/stream"
    name = {"sni_hostname": DOMAIN}
    with (
        httpx.Client(verify=edge.context(), timeout=20) as client,
        client.stream("GET", url, headers={"Host": edge.authority}, extensions=name) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == "data: first"
        echo.hold.set()
        assert "data: last" in list(lines)
    assert edge.request("POST", "/large", content=b"x" * 1_000).status_code == 413


@pytest.mark.usefixtures("echo")
def test_a_request_takes_little_of_traefiks_memory(edge: Edge) -> None:
    """By default, `retry` uses 2 MiB for each request, as long as a stream is open."""
    before = allocated(edge)
    for _ in range(REQUESTS):
        assert edge.request("GET", "/").status_code == 200
    assert (allocated(edge) - before) / REQUESTS < 500_000


def allocated(edge: Edge) -> float:
    """Bytes that Traefik has allocated since its start, by its own metrics."""
    ((_, port),) = edge.passing("traefik-metrics")
    found = metric(port, "go_memstats_alloc_bytes_total")
    assert found is not None
    return found


def test_a_new_certificate_is_served_without_a_restart(edge: Edge, folder: Path) -> None:
    """Traefik reads the changed secret (R8.4)."""
    before, allocation = served(edge), edge.allocation()
    renewed = self_signed(folder, "renewed", f"DNS:{DOMAIN}")
    put_secrets(edge.node, items(renewed.certificate, renewed.key))
    edge.roots = renewed.certificate

    wait_until(lambda: renewed.certificate.read_text() == served(edge), timeout_seconds=60)
    assert before != served(edge)
    task = edge.node.agent.call("GET", f"allocation/{allocation}")["TaskStates"]["traefik"]
    assert (task["State"], task["Restarts"]) == ("running", 0)


def served(edge: Edge) -> str:
    """The certificate that the edge presents, without verification."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((LOOPBACK, edge.https_port), timeout=20) as connection,
        context.wrap_socket(connection, server_hostname=DOMAIN) as secure,
    ):
        return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


def test_traefik_may_do_nothing_but_bind_low_ports(edge: Edge) -> None:
    """Traefik does not run as root. Its only capability is to bind low ports, which this test does not need (R8.1)."""
    mark = f"NOMAD_ALLOC_ID={edge.allocation()}".encode()
    (process,) = (
        found
        for found in Path("/proc").glob("[0-9]*")
        if (found / "exe").is_symlink() and mark in environment(found) and "traefik" in (found / "comm").read_text()
    )
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())

    assert process.stat().st_uid == NOBODY
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Prm", "Eff", "Bnd")} == {CAP_NET_BIND_SERVICE}


def environment(process: Path) -> bytes:
    """Returns empty bytes if the process has ended in the meantime."""
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("variable", "wrong"),
    [("trusted_ips", "no network"), pytest.param("routes", "http: {routers: [", marks=pytest.mark.long)],
)
def test_a_wrong_configuration_is_replaced_by_the_one_before(
    edge: Edge, figure: Figure, variable: str, wrong: str
) -> None:
    """Nomad does this, whether Traefik does not start with the configuration or has no routes (R10.5)."""
    wait_until(lambda: stable_version(edge) is not None, timeout_seconds=60)
    before = stable_version(edge)
    with visiting(lambda: failure_at(edge), pause_seconds=0.1) as visits:
        wait_until(lambda: visits.answered > 0)
        replace(edge, variables={**edge.variables, variable: wrong}).started()
        wait_until(lambda: stable_version(edge) != before, timeout_seconds=120)
        answered = visits.answered
        wait_until(lambda: visits.answered > answered)
    figure(f"seconds without an answer after a wrong {variable}", visits.longest_seconds)
    figure(f"requests that failed after a wrong {variable}", len(visits.failures))
    assert visits.failures


def failure_at(edge: Edge) -> str | None:
    """Returns None if Traefik answers that it knows no instance, which is expected."""
    try:
        answer = edge.request("GET", "/")
    except httpx.TransportError as error:
        return repr(error)
    return None if answer.status_code == 503 else f"{answer.status_code}"


def stable_version(edge: Edge) -> int | None:
    """The newest version to which Nomad would revert, or None."""
    versions = edge.node.agent.call("GET", "job/traefik/versions")["Versions"]
    return max((version["Version"] for version in versions if version["Stable"]), default=None)
