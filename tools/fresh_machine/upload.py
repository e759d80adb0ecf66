"""Uploads a schedule to a running service."""

import time
from pathlib import Path

import httpx

READ_SECONDS = 60.0
ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 0.2


def upload_schedule(url: str, schedule: Path) -> int:
    """Uploads the file, waits until it is processed, and returns the number of events."""
    with httpx.Client(base_url=url, timeout=ANSWER_SECONDS, trust_env=False) as client:
        files = {"file": (schedule.name, schedule.read_bytes(), "application/pdf")}
        job = client.post("/api/v1/uploads", files=files).raise_for_status().json()
        address = f"/api/v1/jobs/{job['id']}"
        deadline = time.monotonic() + READ_SECONDS
        while job["status"] in {"queued", "processing"} and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
            job = client.get(address).raise_for_status().json()
        if job["status"] != "completed":
            raise RuntimeError(f"The upload is not completed after {READ_SECONDS:.0f} s: {job}")
        return len(client.get(f"{address}/timetable").raise_for_status().json()["events"])
