"""The worker as a program: its pages, its exit codes."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from tests.integration.conftest import StartWorker
from tests.integration.services import Addresses
from tests.servers import wait_until
from upschedule.operations.embedded.ports import free_port

PORT = "WORKER_PORT"


def get(port: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def run_work(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "upschedule", "work"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_health_and_metrics_are_answered_and_sigterm_ends_it_with_zero(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """(R6.1, R6.2)."""
    port = str(free_port())
    worker = start_worker(addresses, {PORT: port})
    wait_until(lambda: get(port, "/health/live")[0] == 200, timeout_seconds=60)
    status, body = get(port, "/health/ready")
    assert status == 200
    names = [dependency["name"] for dependency in json.loads(body)["dependencies"]]
    assert names == ["postgres", "redis-state", "redis-cache", "objects", "sandbox"]
    status, metrics = get(port, "/metrics")
    assert status == 200
    assert "upschedule_queue_depth" in metrics
    assert 'upschedule_dependency_up{dependency="sandbox"} 1.0' in metrics
    assert get(port, "/")[0] == 404
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0


def test_a_worker_starts_without_its_servers_and_says_that_it_is_not_ready(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """(R6.1)."""
    port = str(free_port())
    away = msgspec.structs.replace(
        addresses, postgres_dsn="postgresql://nobody@127.0.0.1:1/x", redis_state_url="redis://127.0.0.1:1"
    )
    worker = start_worker(away, {PORT: port})
    wait_until(lambda: get(port, "/health/live")[0] == 200, timeout_seconds=60)
    status, body = get(port, "/health/ready")
    assert status == 503
    down = {dependency["name"] for dependency in json.loads(body)["dependencies"] if not dependency["ok"]}
    assert down == {"postgres", "redis-state"}
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0


def test_wrong_settings_are_all_named_and_nothing_starts(addresses: Addresses) -> None:
    """(R8.2)."""
    environment = addresses.environment({"JOBS_LEASE_SECONDS": "never", "NO_SUCH": "1"})
    done = run_work(environment)
    assert done.returncode == 78
    assert "UPSCHEDULE_JOBS_LEASE_SECONDS" in done.stderr
    assert "UPSCHEDULE_NO_SUCH" in done.stderr
    assert addresses.objects.secret_key not in done.stderr


def test_a_port_that_is_taken_is_said_and_nothing_starts(addresses: Addresses, tmp_path: Path) -> None:
    taken = addresses.redis_state_url.rsplit(":", 1)[1].split("/")[0]
    done = run_work(addresses.environment({PORT: taken}))
    assert done.returncode == 69
    assert "in use" in done.stderr
