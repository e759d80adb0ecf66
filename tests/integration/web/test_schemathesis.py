"""Schemathesis generates requests from the OpenAPI document and sends them through Traefik to the API."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.documents.refused import schedule
from tests.support.documents.schedules import LECTURES
from tests.support.isolated_servers import IsolatedServers
from tests.support.paths import ROOT, SUPPORT
from tests.support.processes.application import ApiProcess, api_process, worker_process
from tests.support.servers import started, wait_until
from tests.support.web.requests import upload
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.traefik import Traefik

#: `nox -s schemathesis` sends more requests, with other seeds.
_SEED = int(os.environ.get("FUZZING_SEED", "1"))
_EXAMPLES = int(os.environ.get("FUZZING_EXAMPLES", "60"))
_PASSWORD = "correct horse battery staple"
#: The limits are too high to be reached, since this test is about the code behind them. They have their own tests.
_LIMITS = {
    f"UPSCHEDULE_{name}": "1000000"
    for name in (
        "LIMITS_UPLOADS_PER_HOUR",
        "LIMITS_UPLOADS_PER_HOUR_ADDRESS",
        "LIMITS_CPU_SECONDS_PER_ACCOUNT",
        "LIMITS_STATUS_PER_MINUTE",
        "LIMITS_REQUESTS_PER_SECOND",
        "LIMITS_REQUESTS_PER_SECOND_ADDRESS",
        "LIMITS_SIGN_IN_FAILURES_MAX",
        "LIMITS_SIGN_UPS_PER_HOUR_ADDRESS",
        "LIMITS_CALENDARS_PER_ACCOUNT",
        "JOBS_PENDING_MAX",
    )
}


@pytest.fixture(scope="module")
def instance(isolated_servers: IsolatedServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """The API and its worker."""
    environment, logs = isolated_servers.start("fuzzing") | _LIMITS, tmp_path_factory.mktemp("fuzzing")
    with worker_process(environment, logs / "worker.log"), api_process(environment, logs / "api.log") as running:
        yield running


@pytest.fixture(scope="module")
def public_url(instance: ApiProcess, scratch: Path) -> Iterator[str]:
    with started(Traefik(scratch / "fuzzing-traefik", port=free_port(), instances=[instance.url])) as traefik:
        yield f"http://{LOOPBACK}:{traefik.port}"


@pytest.fixture(scope="module")
def existing(public_url: str) -> dict[str, str]:
    """A visitor with a schedule that was read, a calendar, and an account."""
    with httpx.Client(base_url=public_url, timeout=30) as visitor:
        job = upload(visitor, schedule(LECTURES, rows=12, seed=3)).json()["id"]
        wait_until(lambda: visitor.get(f"/api/v1/jobs/{job}").json()["status"] == "completed", timeout_seconds=60)
        calendar = visitor.post("/api/v1/calendars", json={"jobs": [job]})
        assert calendar.status_code == 201, calendar.text
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    person = {"email": "somebody@example.org", "password": _PASSWORD}
    signed = [httpx.post(f"{public_url}/api/v1/{path}", json=person).status_code for path in ("accounts", "sessions")]
    assert signed == [202, 201]
    return {
        "FUZZING_URL": public_url,
        "FUZZING_COOKIE": cookie,
        "FUZZING_JOB": job,
        "FUZZING_FEED": calendar.json()["feed_url"].rpartition("/")[2],
        "FUZZING_EMAIL": person["email"],
        "FUZZING_PASSWORD": _PASSWORD,
    }


@pytest.mark.timeout(3_600)
def test_no_request_that_can_be_made_up_finds_anything(
    instance: ApiProcess, public_url: str, existing: dict[str, str], tmp_path: Path
) -> None:
    """All checks, examples, coverage, fuzzing and chains of linked requests run. The API logs no fault.

    The seed decides which requests are sent. Schemathesis prints it with the number of requests.
    """
    found = _run(public_url, existing, tmp_path / "report.json")

    statuses = [line["status"] for line in instance.logged("request")]
    assert (found["failures"], found["errors"], found["exit_code"]) == ([], [], 0)
    assert {phase["status"] for phase in found["phases"].values()} == {"success"}
    assert found["operations"]["tested"] == found["operations"]["selected"]
    assert max(statuses) < 500
    assert instance.logged("request_failed") == instance.logged("answer_broken") == []
    # Some requests succeed: links and known ids lead to existing resources.
    assert _succeeded(instance) >= {
        ("POST", "/api/v1/uploads"),
        ("GET", "/api/v1/jobs/{job_id}"),
        ("GET", "/api/v1/jobs/{job_id}/stream"),
        ("GET", "/api/v1/jobs/{job_id}/timetable"),
        ("DELETE", "/api/v1/jobs/{job_id}"),
        ("POST", "/api/v1/calendars"),
        ("GET", "/api/v1/calendars/{calendar_id}"),
        ("PATCH", "/api/v1/calendars/{calendar_id}"),
        ("GET", "/api/v1/calendars/{calendar_id}/calendar.ics"),
        ("DELETE", "/api/v1/calendars/{calendar_id}"),
        ("GET", "/calendars/{file_name}"),
        ("POST", "/api/v1/accounts"),
        ("POST", "/api/v1/sessions"),
    }


def _run(public_url: str, existing: dict[str, str], report: Path) -> dict[str, Any]:
    arguments = ["--url", public_url, "--seed", str(_SEED), "--max-examples", str(_EXAMPLES), "--no-color"]
    subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "schemathesis.cli",
                "--config-file",
                SUPPORT / "web" / "fuzzing" / "schemathesis.toml",
                "run",
            ),
            *(*arguments, "--report", "json", "--report-json-path", report, f"{public_url}/api/v1/openapi.json"),
        ],
        cwd=report.parent,
        env={
            **os.environ,
            **existing,
            "SCHEMATHESIS_HOOKS": "tests.support.web.fuzzing.hooks",
            "PYTHONPATH": str(ROOT),
        },
        check=False,
    )
    assert report.exists(), "schemathesis did not finish"
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def _succeeded(instance: ApiProcess) -> set[tuple[str, str]]:
    return {(line["method"], line["route"]) for line in instance.logged("request") if 200 <= line["status"] < 300}
