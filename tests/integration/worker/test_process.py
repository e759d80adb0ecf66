"""The worker as a program: its pages and its exit codes."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.integration.conftest import StartWorker
from tests.integration.processing.test_intake import accept
from tests.support.processes.health_pages import await_alive, await_ready, dependencies, get
from tests.support.servers import wait_until
from tests.support.services import Addresses, a_document, new_account, opened, until_final
from upschedule.operations.embedded.ports import free_port

PORT = "WORKER_PORT"


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
    """R6.1 and R6.2 require both pages."""
    port = free_port()
    worker = start_worker(addresses, {PORT: str(port)})
    await_ready(port)
    assert list(dependencies(port)) == ["postgres", "redis-state", "redis-cache", "objects", "sandbox", "golden"]
    status, metrics = get(port, "/metrics")
    assert status == 200
    assert 'upschedule_dependency_up{dependency="sandbox"} 1.0' in metrics
    assert get(port, "/")[0] == 404
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0


def test_a_worker_starts_without_its_servers_and_says_that_it_is_not_ready(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """The process does not exit, and readiness reports the servers (R6.1)."""
    port = free_port()
    away = msgspec.structs.replace(
        addresses, postgres_dsn="postgresql://nobody@127.0.0.1:1/x", redis_state_url="redis://127.0.0.1:1"
    )
    worker = start_worker(away, {PORT: str(port)})
    await_alive(port)
    wait_until(lambda: dependencies(port)["golden"] is None)
    assert get(port, "/health/ready")[0] == 503
    assert {name for name, error in dependencies(port).items() if error} == {"postgres", "redis-state"}
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0


async def test_a_canary_is_ready_and_reads_only_once_it_is_live(
    addresses: Addresses, start_worker: StartWorker, tmp_path: Path
) -> None:
    """A canary is ready before it reads documents (R12.2)."""
    port, standing = free_port(), tmp_path / "standing"
    standing.write_text("canary\n")
    start_worker(addresses, {PORT: str(port), "ROLLOUT_STANDING_FILE": str(standing)})
    await asyncio.to_thread(await_ready, port)
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = (await accept(services, account_id, a_document())).job
        assert await services.redis_state.xlen("jobs") == 1
        assert not await services.redis_state.xinfo_groups("jobs")
        standing.write_text("live\n")
        assert (await until_final(services, account_id, job.id)).attempt == 1


async def test_a_promoted_worker_reads_on_while_its_file_says_nothing(
    addresses: Addresses, start_worker: StartWorker, tmp_path: Path
) -> None:
    """Nomad writes an empty file when Consul returns no instances.

    No worker may stop reading because of that (R12.2).
    """
    port, standing = free_port(), tmp_path / "standing"
    standing.write_text("live\n")
    start_worker(addresses, {PORT: str(port), "ROLLOUT_STANDING_FILE": str(standing)})
    await asyncio.to_thread(await_ready, port)
    async with opened(addresses) as services:
        account_id = await new_account(services)
        first = (await accept(services, account_id, a_document())).job
        await until_final(services, account_id, first.id)
        standing.write_text("")
        second = (await accept(services, account_id, a_document())).job
        assert (await until_final(services, account_id, second.id, timeout_seconds=20)).attempt == 1


async def test_a_worker_that_reads_a_golden_document_wrongly_ends_and_reads_nothing(
    addresses: Addresses, start_worker: StartWorker, tmp_path: Path
) -> None:
    """It logs the reason. Nomad counts its restarts, so a canary that reads wrongly is never promoted (R12.3)."""
    port = free_port()
    async with opened(addresses) as services:
        await accept(services, await new_account(services), a_document())
        worker = start_worker(addresses, {PORT: str(port)}, golden="XXX999")
        assert await asyncio.to_thread(worker.wait, 20) != 0
        log = (tmp_path / f"worker-{port}.log").read_text()
        assert "The golden document of lectures was not read as it is printed, so this worker reads nothing" in log
        assert "lectures: module of lecture XXX999" in log
        assert await services.redis_state.xlen("jobs") == 1
        assert not await services.redis_state.xinfo_groups("jobs")


def test_wrong_settings_are_all_named_and_nothing_starts(addresses: Addresses) -> None:
    """The message names variables and not secrets (R8.2)."""
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
