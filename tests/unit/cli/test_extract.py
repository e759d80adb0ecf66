"""The command `upschedule extract`, as a person or a script runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import refused
from tests.support.documents.schedules import KINDS, Kind


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "upschedule", "extract", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
def test_json_holds_events_warnings_and_pages(kind: Kind, tmp_path: Path) -> None:
    file = tmp_path / "schedule.pdf"
    file.write_bytes(refused.schedule(kind, rows=3))

    done = run(file, "--json")

    assert (done.returncode, done.stderr) == (0, "")
    parsed = json.loads(done.stdout)
    assert parsed["warnings"] == []
    assert len(parsed["events"]) >= 3
    assert {event["page"] for event in parsed["events"]} <= set(range(1, parsed["pages"] + 1))


def test_the_table_holds_a_line_for_each_event(tmp_path: Path) -> None:
    file = tmp_path / "schedule.pdf"
    file.write_bytes(refused.schedule(rows=3))
    events = json.loads(run(file, "--json").stdout)["events"]

    lines = run(file).stdout.splitlines()

    assert all(line.startswith(event["module"]) for event, line in zip(events, lines, strict=False))
    assert lines[-1].startswith(f"{len(events)} events")


@pytest.mark.parametrize(
    ("data", "code", "exit_code"),
    [(b"", "pdf-empty-file", 10), (b"text", "pdf-not-a-pdf", 11), (refused.needs_password(), "pdf-needs-password", 13)],
)
def test_a_refused_file_prints_its_code_and_sentence_on_standard_error_only(
    data: bytes, code: str, exit_code: int, tmp_path: Path
) -> None:
    file = tmp_path / "refused.pdf"
    file.write_bytes(data)

    done = run(file, "--json")

    assert (done.returncode, done.stdout) == (exit_code, "")
    assert done.stderr.startswith(f"{code}: ")
