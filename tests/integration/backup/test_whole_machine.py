"""One machine is destroyed and completely restored with the commands of docs/backup.md."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.documents.generate import document
from tests.support.machine import rows
from tests.support.paths import ROOT
from tests.support.processes.local_run import local_run, small_document
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import free_port
from upschedule.operations.embedded.postgres import Postgres

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _type(number: int, environment: dict[str, str]) -> str:
    """Runs a block of the page unchanged, and returns its output."""
    commands = _BLOCK.findall((ROOT / "docs/backup.md").read_text(encoding="utf-8"))[number]
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=ROOT,
        env={**os.environ, **environment, "PATH": programs},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _upload(visitor: httpx.Client, data: bytes) -> str:
    answer = visitor.post("/api/v1/uploads", files={"file": ("a.pdf", data, "application/pdf")})
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def _pause(postgres: Postgres, *, paused: bool) -> None:
    with psycopg.connect(postgres.owner_dsn()) as connection:
        connection.execute("UPDATE queue_pauses SET paused_at = CASE WHEN %s THEN now() END", [paused])


def _await_status(postgres: Postgres, location: str, status: str) -> None:
    """The test queries PostgreSQL, because a visitor who polls this often is refused."""
    query, job = "SELECT status FROM jobs WHERE id = %s", location.rpartition("/")[2]
    wait_until(lambda: rows(postgres.owner_dsn(), query, [job]) == [(status,)], timeout_seconds=90)


def _feed_path(calendar: dict[str, str]) -> str:
    return re.sub(r"^https?://[^/]+", "", calendar["feed_url"])


@pytest.mark.timeout(400)
def test_a_destroyed_machine_has_everything_back(scratch: Path, tmp_path: Path) -> None:
    """The backup is made while the service runs.

    Sessions, documents, calendars, feed links and the queue continue (R9.3, R9.4).
    """
    data, port = scratch / "whole-machine", free_port()
    environment = {
        "UPSCHEDULE_BACKUP_KEY_FILE": str(tmp_path / "key"),
        "BACKUPS": str(tmp_path),
        "UPSCHEDULE_DATA": str(data),
    }
    _type(0, environment)
    with local_run(data, port) as first, httpx.Client(base_url=first.url, trust_env=False) as visitor:
        first.await_words("ready: ")
        read = _upload(visitor, document(1, rows_max=8).data)
        postgres = Postgres(data / "postgres", port=int(first.inside("PostgreSQL").rpartition(":")[2]))
        _await_status(postgres, read, "completed")
        calendar = visitor.post("/api/v1/calendars", json={"jobs": [read.rpartition("/")[2]]}).json()
        feed, timetable = visitor.get(_feed_path(calendar)).text, visitor.get(f"{read}/timetable").json()
        _pause(postgres, paused=True)
        waiting = _upload(visitor, small_document("It waits while the backup is made."))
        assert "Verified." in _type(1, environment)
        late = _upload(visitor, small_document("It comes after the backup."))
        first.process.terminate()
        assert first.ended_with() == 0

        shutil.rmtree(data)
        assert _type(2, environment).count("Verified.") == 1
        shutil.rmtree(data)
        _type(3, environment)

        with local_run(data, port) as second:
            second.await_words("ready: ")
            assert visitor.get(read).json()["status"] == "completed"
            assert visitor.get(f"{read}/timetable").json() == timetable
            assert visitor.get(f"/api/v1/calendars/{calendar['id']}").json()["feed_url"] == calendar["feed_url"]
            assert visitor.get(_feed_path(calendar)).text == feed
            assert visitor.get(late).status_code == 404
            assert visitor.get(waiting).json()["status"] == "queued"
            restored = Postgres(data / "postgres", port=int(second.inside("PostgreSQL").rpartition(":")[2]))
            _pause(restored, paused=False)
            _await_status(restored, waiting, "failed")
            # The document was read, since only a file that exists can be refused as not a schedule.
            answer = visitor.get(waiting)
            assert answer.json().get("error", {}).get("type") == "/problems/pdf-not-a-timetable", answer.text
            again = _upload(visitor, document(2, rows_max=8).data)
            _await_status(restored, again, "completed")
