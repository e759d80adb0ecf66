"""No log of any process on the cluster contains personal data, including stores and Traefik (R6.3)."""

import json
import re
import secrets
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.cluster.whole.logs import logs
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster
from upschedule.golden import load

pytestmark = pytest.mark.timeout(600)
READ_SECONDS = 120.0
EMAIL = re.compile(rb"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
#: E-mail addresses of authors, which some programs print at their start.
AUTHORS = (b"debian.org", b"@lists.alioth.debian.org", b"@cbaines.net")
WORD = "Thandi-Nkosi-12345678"
#: The password is sent in a request that ends before its body is read, in one that fails, and in one without a route.
PASSWORD = "correct horse battery staple 4711"


@pytest.fixture
def student(cluster: LocalCluster) -> Iterator[httpx.Client]:
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=30) as client:
        yield client


def test_no_log_of_any_process_holds_anything_personal(cluster: LocalCluster, student: httpx.Client) -> None:
    """Searched are addresses, names, passwords, cookies, timetable entries and feed links, also of failed requests."""
    personal = everything_personal(student)
    reference = last_request(student)
    wait_until(lambda: any(reference in text for text in logs(cluster).values()), timeout_seconds=30)
    written = logs(cluster)

    # An empty log, or one of an agent that got no request, would prove nothing.
    parts = {path.name.partition(".")[0] for path in written}
    assert {"serve", "work", "schedule", "postgres", "traefik", "pgbouncer"} <= parts
    found = {f"{path}: {word.decode()}" for path, text in written.items() for word in personal if word in text}
    assert found == set()
    addresses = {
        f"{path}: {address.decode()}"
        for path, text in written.items()
        for address in EMAIL.findall(text)
        if not address.endswith(AUTHORS)
    }
    assert addresses == set()


def test_a_request_is_followed_from_the_upload_to_the_reading(cluster: LocalCluster, student: httpx.Client) -> None:
    """The request id leads from one to the other, and both lines say where the time went (R6.3)."""
    files = {"file": ("schedule.pdf", document(11, rows_max=4).data, "application/pdf")}
    answer = student.post("/api/v1/uploads", files=files).raise_for_status()
    reference = answer.headers["x-request-id"]
    wait_until(lambda: "run_ended" in lines_of(cluster, reference), timeout_seconds=READ_SECONDS)
    lines = lines_of(cluster, reference)

    assert lines["request"]["job_id"] == lines["run_ended"]["job_id"] == answer.json()["id"]
    assert lines["request"]["account_id"] == lines["run_ended"]["account_id"]
    assert {"pool_ms", "postgres_ms", "redis_ms", "objects_ms"} <= lines["request"].keys()
    assert lines["run_ended"]["outcome"] == "completed"
    assert {"pool_ms", "postgres_ms", "objects_ms", "sandbox_ms", "processor_seconds"} <= lines["run_ended"].keys()


def lines_of(cluster: LocalCluster, reference: str) -> dict[str, dict[str, Any]]:
    """The lines with this request id, by event."""
    found = [
        json.loads(line) for text in logs(cluster).values() for line in text.splitlines() if reference.encode() in line
    ]
    return {line["event"]: line for line in found}


def everything_personal(student: httpx.Client) -> list[bytes]:
    """Uses all functions of the service as one student, and returns the personal data that were sent and received."""
    golden = load()
    credentials = {"email": f"{WORD.lower()}-{secrets.token_hex(4)}@tuks.example", "password": PASSWORD}
    jobs = [upload(student, document.document) for document in golden.documents]
    for job in jobs:
        wait_until(lambda job=job: status(student, job) == "completed", timeout_seconds=READ_SECONDS)
    body = {"jobs": jobs, "name": WORD, "academic_year": golden.calendar.academic_year}
    calendar = student.post("/api/v1/calendars", json=body).raise_for_status().json()
    feed = urlsplit(calendar["feed_url"]).path
    student.get(feed).raise_for_status()
    student.get(feed.replace(".ics", "x.ics"))
    # These uploads are refused, malformed and unknown.
    upload_of = {"file": (f"{WORD}.pdf", b"%PDF-1.7 broken", "application/pdf")}
    student.post("/api/v1/uploads", files=upload_of)
    student.post("/api/v1/accounts", json=credentials).raise_for_status()
    student.post("/api/v1/sessions", json={**credentials, "password": f"{PASSWORD}!"})
    student.post("/api/v1/sessions", json=credentials).raise_for_status()
    student.get(f"/api/v1/{WORD}", params={"email": credentials["email"], "token": PASSWORD})
    student.post("/api/v1/calendars", json={**body, "jobs": [WORD]})
    entries = {event.module for document in golden.documents for event in document.expected.events}
    cookies = {cookie.value for cookie in student.cookies.jar if cookie.value}
    token = feed.rpartition("/")[2].removesuffix(".ics")
    words = {WORD, WORD.lower(), credentials["email"], PASSWORD, token, *cookies, *entries}
    return [word.encode() for word in sorted(words)]


def upload(student: httpx.Client, document: bytes) -> str:
    """Uploads a file with a person's name, and returns the job's id."""
    files = {"file": (f"{WORD}.pdf", document, "application/pdf")}
    job: str = student.post("/api/v1/uploads", files=files).raise_for_status().json()["id"]
    return job


def status(student: httpx.Client, job: str) -> str:
    found: str = student.get(f"/api/v1/jobs/{job}").raise_for_status().json()["status"]
    return found


def last_request(student: httpx.Client) -> bytes:
    """The id of a new request. Once it is in the log, all earlier requests are."""
    return student.get("/api/v1/capacity").headers["x-request-id"].encode()
