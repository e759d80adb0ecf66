"""Exempts the account of the synthetic student from the limits of students, as an operator does."""

import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from tools.local_cluster.errors import ClusterError
from tools.local_cluster.polling import wait_for

ANSWER_SECONDS = 30.0
COMMAND_SECONDS = 60.0
#: Sign-in is limited, and a scheduler may just have started.
PATIENCE_SECONDS = 120.0


def exempt(public_url: str, authority: Path, *, mail: str, password: str, environment: Mapping[str, str]) -> None:
    """`environment` has the variables of `upschedule ops`. Raises ClusterError."""
    account = _account(public_url, authority, mail=mail, password=password)
    command = [sys.executable, "-m", "upschedule", "ops", "exempt", account, "--reason", "the synthetic student"]
    done: list[subprocess.CompletedProcess[str]] = []

    def is_exempt() -> bool:
        done[:] = [
            subprocess.run(
                command,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        ]
        return done[0].returncode == 0

    if not wait_for(is_exempt, timeout_seconds=PATIENCE_SECONDS):
        raise ClusterError(f"The synthetic student is not exempt from the limits: {done[0].stderr.strip()}")


def _account(public_url: str, authority: Path, *, mail: str, password: str) -> str:
    """Returns the id of the account. Signs it up first; that changes nothing if the student has done so already."""
    credentials = {"email": mail, "password": password}
    verify = ssl.create_default_context(cafile=authority)
    try:
        with httpx.Client(base_url=public_url, verify=verify, timeout=ANSWER_SECONDS) as client:
            client.post("/api/v1/accounts", json=credentials).raise_for_status()
            return str(client.post("/api/v1/sessions", json=credentials).raise_for_status().json()["id"])
    except httpx.HTTPError as reason:
        raise ClusterError(f"The synthetic student cannot sign in at {public_url}: {reason}") from reason
