"""Health and metrics of a process (R6.1, R6.2)."""

import re
import time
from typing import Any

import httpx

from tests.integration.web.conftest import StartApi
from tests.support.processes.application import ApiProcess
from tests.support.web.requests import pdf_like, upload
from upschedule.pdf import READER_VERSION


def test_an_instance_is_ready_when_everything_answers(api: ApiProcess) -> None:
    """Each dependency has its time (R6.1)."""
    answer = httpx.get(f"{api.url}/health/ready")
    dependencies = {entry["name"]: entry for entry in answer.json()["dependencies"]}

    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert dependencies.keys() == {"postgres", "redis-state", "redis-cache", "objects"}
    assert all(entry["ok"] and entry["seconds"] >= 0 for entry in dependencies.values())


def test_an_instance_that_could_never_work_does_not_enter_the_rotation(start_api: StartApi) -> None:
    """A canary with a wrong password must not count as healthy."""
    api = start_api(UPSCHEDULE_REDIS_STATE_URL="redis://:wrong@127.0.0.1:1/0")
    answer = httpx.get(f"{api.url}/health/ready/instance")
    assert (answer.status_code, answer.json()) == (503, {"status": "starting"})


def test_a_share_of_the_visitors_is_for_one_instance_and_expires(start_api: StartApi) -> None:
    """The end does not depend on the proxy or on the command that set the share (issue 11, R12.2)."""
    api = start_api(NOMAD_ALLOC_ID="8a0c1b1e")

    def asked(**changed: object) -> tuple[int, str]:
        query: dict[str, Any] = {"instance": "8a0c1b1e", "until": time.time() + 60} | changed
        answer = httpx.get(f"{api.url}/health/ready/share", params=query)
        return answer.status_code, answer.json()["status"]

    assert asked() == (200, "serving")
    assert asked(instance="9b1d2c2f") == (503, "another instance")
    assert asked(until=time.time() - 1) == (503, "over")


def test_an_instance_without_a_name_takes_no_share(api: ApiProcess) -> None:
    """Outside a cluster, no instance is a canary."""
    answer = httpx.get(f"{api.url}/health/ready/share", params={"instance": "", "until": time.time() + 60})
    assert (answer.status_code, answer.json()) == (503, {"status": "another instance"})


def test_readiness_and_metrics_are_not_for_those_who_come_through_the_proxy(client: httpx.Client) -> None:
    """The routes of the proxy exclude them as well."""
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == 404
    assert client.get("/health/ready/instance").status_code == 404
    assert client.get("/health/ready/share", params={"instance": "x", "until": 0}).status_code == 404
    assert client.get("/metrics").status_code == 404


def test_requests_are_measured_by_route_and_never_by_id(api: ApiProcess, client: httpx.Client) -> None:
    """R6.2 requires metrics with few labels."""
    client.get("/api/v1/jobs/8a0c1b1e-0000-4000-8000-000000000000")
    client.get("/nowhere/at/all")
    exposed = httpx.get(f"{api.url}/metrics")

    assert exposed.headers["content-type"].startswith("text/plain")
    counted = 'upschedule_http_requests_total{fault="no",method="GET",route="/api/v1/jobs/{job_id}",status="404"}'
    assert counted in exposed.text
    assert 'route="unmatched",status="404"' in exposed.text
    assert "8a0c1b1e" not in exposed.text
    assert "upschedule_http_request_seconds_bucket" in exposed.text


def test_the_pool_of_connections_is_measured_at_each_scrape(api: ApiProcess) -> None:
    """The metric has the open connections and the requests that wait for one (R3.1, R6.2)."""
    exposed = httpx.get(f"{api.url}/metrics").text
    counted = re.search(r'^upschedule_postgres_pool_connections\{state="open"\} (\S+)$', exposed, flags=re.MULTILINE)

    assert counted
    assert float(counted[1]) >= 2
    assert "upschedule_postgres_pool_waiting 0.0" in exposed


def test_a_process_says_which_release_and_reader_it_runs(api: ApiProcess) -> None:
    """The metric shows instances on different releases (R6.2, R12.3)."""
    exposed = httpx.get(f"{api.url}/metrics").text

    assert f'upschedule_release_info{{reader="{READER_VERSION}",release=""}} 1.0' in exposed


def test_refused_uploads_are_counted_by_cause(api: ApiProcess, client: httpx.Client) -> None:
    """The label is the code of the error, and never a text from the client (R6.2)."""
    upload(client, b"not a PDF")

    assert 'upschedule_uploads_refused_total{cause="pdf-not-a-pdf"}' in httpx.get(f"{api.url}/metrics").text


def test_one_line_is_logged_for_a_request(api: ApiProcess, client: httpx.Client) -> None:
    """The line has the id, route, status and time of the request (R6.3)."""
    answer = client.get("/api/v1/capacity")
    line = api.awaited("request", request_id=answer.headers["x-request-id"])

    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/v1/capacity", 200)
    assert line["duration_ms"] >= 0


def test_the_line_of_a_request_says_where_its_time_went(api: ApiProcess, client: httpx.Client) -> None:
    """An upload waits for PostgreSQL, Redis and the object store (R6.3)."""
    answer = upload(client, pdf_like())
    line = api.awaited("request", request_id=answer.headers["x-request-id"])
    parts = {name: line[name] for name in ("pool_ms", "postgres_ms", "redis_ms", "objects_ms")}

    assert all(0 <= milliseconds <= line["duration_ms"] for milliseconds in parts.values())
    assert parts["objects_ms"] > 0
    exposed = httpx.get(f"{api.url}/metrics").text
    measured = set(re.findall(r'^upschedule_spent_seconds_count\{part="(\w+)"\} [1-9]', exposed, flags=re.MULTILINE))
    assert {"pool", "postgres", "redis", "objects"} <= measured
