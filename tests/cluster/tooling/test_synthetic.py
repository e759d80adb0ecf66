"""The task of the synthetic student's job on a real Nomad gets its account and its authority, and stops at once."""

import json
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.tooling.test_common_blocks import parse
from tests.cluster.tooling.test_program import COMMON, OWN
from tests.support.cluster.tooling.authority import Certificate, self_signed
from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.paths import ROOT
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import LOOPBACK

ACCOUNT = {"mail": "synthetic@example.org", "password": "a=long#password$"}


@contextmanager
def service_without_accounts(certificate: Certificate) -> Iterator[tuple[str, list[Any]]]:
    """A service that refuses every sign-in. Returns its address and the list of the credentials that it received."""
    tried: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/api/v1/sessions":
                tried.append(json.loads(body))
            self._answer()

        def _answer(self) -> None:
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Logs nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"https://{LOOPBACK}:{server.server_port}", tried
        finally:
            server.shutdown()
            thread.join()


def of_this_checkout(job: dict[str, Any]) -> dict[str, Any]:
    """The job without what this Nomad lacks: releases, Consul, and tasks with their own file system."""
    (group,) = job["TaskGroups"]
    (task,) = (task for task in group["Tasks"] if task["Name"] == "run")
    program = task["Config"]["args"][task["Config"]["args"].index("--") + 1 :]
    task |= {"Driver": "raw_exec", "User": "", "Services": None, "VolumeMounts": None}
    task["Config"] = {"command": sys.executable, "args": program}
    task["Env"] |= {"PYTHONPATH": str(ROOT / "src")}
    group |= {"Tasks": [task], "Volumes": None}
    return {**job, "Update": None}


def running_allocation(agent: Agent) -> dict[str, Any] | None:
    allocations = agent.call("GET", "job/synthetic/allocations")
    return next((each for each in allocations if each["ClientStatus"] == "running"), None)


@pytest.mark.timeout(120)
def test_the_task_has_its_account_trusts_its_authority_and_stops_at_once(agent: Agent, tmp_path: Path) -> None:
    """A failed run sets a metric and does not fail a check, since Prometheus must be able to read it."""
    certificate = self_signed(tmp_path, "edge", f"IP:{LOOPBACK}")
    items = {**ACCOUNT, "authority": certificate.certificate.read_text(encoding="ascii")}
    body = {"Namespace": "default", "Path": "nomad/jobs/synthetic", "Items": items}
    agent.call("PUT", "var/nomad/jobs/synthetic", body)
    with service_without_accounts(certificate) as (url, tried):
        job = of_this_checkout(parse(agent, "synthetic", {**COMMON, **OWN["synthetic"], "url": url}))
        agent.call("PUT", "jobs", {"Job": job})
        wait_until(lambda: tried, timeout_seconds=60)
        assert tried[0] == {"email": ACCOUNT["mail"], "password": ACCOUNT["password"]}

        allocation = running_allocation(agent)
        assert allocation
        (port,) = agent.call("GET", f"allocation/{allocation['ID']}")["AllocatedResources"]["Shared"]["Ports"]
        page = f"http://{port['HostIP']}:{port['Value']}"

        def failed() -> bool:
            return 'upschedule_synthetic_success{document="all"} 0.0' in httpx.get(f"{page}/metrics", timeout=10).text

        wait_until(failed, timeout_seconds=30)
        assert httpx.get(f"{page}/health/live", timeout=10).status_code == 200

        began = time.monotonic()
        agent.call("DELETE", "job/synthetic", purge="true")
        wait_until(lambda: running_allocation(agent) is None, timeout_seconds=30)
        # The task ends before its kill_timeout of 5 s, so it was not killed.
        assert time.monotonic() - began < 4
