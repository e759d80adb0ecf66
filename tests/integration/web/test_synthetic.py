"""The synthetic student against a real API and a real worker."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.processes.application import ApiProcess, worker_process
from tests.support.processes.health_pages import await_ready, metric
from tests.support.servers import wait_until
from tests.support.web.requests import pdf_like, upload
from upschedule import golden
from upschedule.deploy.clock import Clock
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.golden import ALL
from upschedule.deploy.synthetic.figures import STAGES
from upschedule.deploy.synthetic.student import CALENDAR_NAME, Credentials, SyntheticStudent
from upschedule.golden import LAYOUTS
from upschedule.operations.embedded.ports import free_port

RUNS = "upschedule_synthetic_runs_total"
PASSWORD = "a long password of a synthetic student"
# A row of the timetable in which the service names another room than the printed one.
WRONG_ROOM = """
    CREATE FUNCTION wrong_room() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.body ->> 'kind' = 'exam' AND NEW.ordinal = 1 THEN
            NEW.body = jsonb_set(NEW.body, '{activity}', '"Another activity"');
        END IF;
        RETURN NEW;
    END;
    $$;
    CREATE TRIGGER wrong_room BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION wrong_room();
"""


def student(api: ApiProcess, email: str, *, seconds: float = 60) -> SyntheticStudent:
    return SyntheticStudent(
        site=Endpoint(name="The service", address=api.url),
        golden=golden.load(),
        clock=Clock(),
        credentials=Credentials(email=email, password=PASSWORD),
        document_seconds=seconds,
    )


class Program:
    """`upschedule synthetic` as a process."""

    def __init__(self, owned: ExitStack, log: Path) -> None:
        self._owned, self.log = owned, log
        self.port = free_port()

    def start(self, api: ApiProcess, email: str) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            "UPSCHEDULE_SYNTHETIC_URL": api.url,
            "UPSCHEDULE_SYNTHETIC_MAIL": email,
            "UPSCHEDULE_SYNTHETIC_PASSWORD": PASSWORD,
            "UPSCHEDULE_SYNTHETIC_PORT": str(self.port),
        }
        output = self._owned.enter_context(self.log.open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "upschedule", "synthetic"], env=environment, stdout=output, stderr=output
        )
        self._owned.callback(process.wait)
        self._owned.callback(process.kill)
        return process

    def uploads(self, api: ApiProcess) -> int:
        """The number of documents of its account that the API has accepted."""
        lines = [line for line in self.log.read_text().splitlines() if '"synthetic_signed_in"' in line]
        accounts = {json.loads(line)["account_id"] for line in lines}
        return sum(
            line["route"] == "/api/v1/uploads" and line["status"] == 202 and line.get("account_id") in accounts
            for line in api.logged("request")
        )


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with ExitStack() as owned:
        yield Program(owned, tmp_path / "synthetic.log")


def signed_in(client: httpx.Client, email: str) -> bool:
    credentials = {"email": email, "password": PASSWORD}
    return client.post("/api/v1/sessions", json=credentials).is_success


def owned_by(client: httpx.Client) -> tuple[list[Any], list[Any]]:
    """Documents and calendars of the client."""
    return client.get("/api/v1/jobs").json()["jobs"], client.get("/api/v1/calendars").json()["calendars"]


def test_a_run_finds_everything_right_and_leaves_nothing(reading_api: ApiProcess, new_client: NewClient) -> None:
    """It signs up, keeps its session, and passes every stage."""
    client, email = new_client(reading_api), "right@synthetic.example.org"
    synthetic = student(reading_api, email)
    first, second = synthetic.run(), synthetic.run()

    for run in (first, second):
        assert [finding.detail for finding in run.findings if not finding.ok] == []
        assert {(stage.document, stage.name) for stage in run.stages} == {
            (document, stage) for document, stages in STAGES.items() for stage in stages
        }
        assert all(stage.done and stage.differences == 0 for stage in run.stages)
    assert signed_in(client, email)
    assert owned_by(client) == ([], [])
    sign_ins = [line for line in reading_api.logged("request") if line["route"] == "/api/v1/sessions"]
    account = client.get("/api/v1/accounts/current").json()["id"]
    # One sign-in failed because there was no account yet, one followed the sign-up, and one is this test's own.
    assert sum(line["status"] < 300 and line.get("account_id") == account for line in sign_ins) <= 2


def test_what_a_killed_run_left_is_removed_by_the_next_and_nothing_else(
    reading_api: ApiProcess, new_client: NewClient, program: Program
) -> None:
    """A document and a calendar with other names stay, in case the account belongs to a person."""
    client, email = new_client(reading_api), "killed@synthetic.example.org"
    process = program.start(reading_api, email)
    # It signs in and uploads each document, and then waits for the readings.
    wait_until(lambda: program.uploads(reading_api) == len(LAYOUTS), timeout_seconds=60)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    assert signed_in(client, email)
    uploads = owned_by(client)[0]
    assert len(uploads) == len(LAYOUTS)
    body = {"jobs": [uploads[0]["id"]], "name": CALENDAR_NAME, "estimate_dates": True}
    wait_until(
        lambda: client.get(f"/api/v1/jobs/{uploads[0]['id']}").json()["status"] == "completed", timeout_seconds=60
    )
    assert client.post("/api/v1/calendars", json=body).status_code == 201
    assert upload(client, pdf_like(), name="mine.pdf").status_code == 202

    run = student(reading_api, email).run()
    assert [finding.detail for finding in run.findings if not finding.ok] == []
    documents, calendars = owned_by(client)
    assert ([each["file_name"] for each in documents], calendars) == (["mine.pdf"], [])


def test_a_wrong_timetable_and_an_unreachable_service_are_distinguished(
    start_api: StartApi, own_environment: dict[str, str], postgres_owner_dsn: str, program: Program, tmp_path: Path
) -> None:
    """The metrics of the alerts distinguish them. SIGTERM ends the program at once."""
    with psycopg.connect(postgres_owner_dsn) as conn:
        conn.execute(WRONG_ROOM)
    api = start_api()
    with worker_process(own_environment, tmp_path / "worker.log"):
        process = program.start(api, "wrong@synthetic.example.org")
        await_ready(program.port)

        def runs_finished() -> bool:
            outcomes = ("right", "wrong", "failed")
            return any(metric(program.port, RUNS, document=ALL, outcome=each) for each in outcomes)

        wait_until(runs_finished, timeout_seconds=90)
        assert metric(program.port, RUNS, document=ALL, outcome="wrong") == 1, program.log.read_text()
        found = {each: metric(program.port, "upschedule_synthetic_differences", document=each) for each in STAGES}
        assert found == {"lectures": 0, "tests": 0, "exams": 1, ALL: 3}
        assert {metric(program.port, "upschedule_synthetic_success", document=each) for each in STAGES} == {1}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == -signal.SIGTERM
        # No worker reads, so the documents wait. They are removed nevertheless.
    synthetic = student(api, "wrong@synthetic.example.org", seconds=2)
    run = synthetic.run()
    assert [stage.name for stage in run.stages if not stage.done] == ["reading"] * len(LAYOUTS)
    assert "is a worker running?" in " ".join(finding.detail for finding in run.findings if not finding.ok)
    api.terminate()
    api.process.wait(timeout=60)
    assert [stage.name for stage in synthetic.run().stages] == ["sign-in"]
