"""Uploading through real HTTP."""

import httpx

from tests.integration.web.requests import pdf_like, problem_code, upload


def test_an_upload_becomes_a_job_that_its_owner_can_see(client: httpx.Client) -> None:
    """202 with the address of the job, and a cookie that scripts cannot read (R5.1)."""
    answer = upload(client, pdf_like(), name="my schedule.pdf")

    assert answer.status_code == 202
    job = answer.json()
    assert job["status"] == "queued"
    assert job["file_name"] == "my schedule.pdf"
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Path=/"))
    status = client.get(answer.headers["location"])
    assert status.status_code == 200
    assert status.json()["id"] == job["id"]


def test_an_empty_file_is_refused_at_once(client: httpx.Client) -> None:
    answer = upload(client, b"")

    assert (answer.status_code, problem_code(answer)) == (400, "pdf-empty-file")
    assert "set-cookie" not in answer.headers
