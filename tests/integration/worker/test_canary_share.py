"""A canary reads its share of real documents beside a worker of the previous release (R12.2)."""

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest

from tests.integration.conftest import StartScheduler, StartWorker
from tests.integration.worker.test_faults import QUICK, upload
from tests.support.job_rows import read
from tests.support.processes.health_pages import await_ready, metric
from tests.support.servers import wait_until
from tests.support.services import Addresses, opened, until, until_final
from upschedule.operations.embedded.ports import free_port
from upschedule.services import Services

OLD, NEW = "2026.1", "2026.2"
FAR = 4_000_000_000
PORT = "WORKER_PORT"
DOCUMENTS = 60


class CanaryWorker:
    """A canary worker. `state` writes the file that Nomad writes for a real one."""

    def __init__(self, start: StartWorker, addresses: Addresses, folder: Path) -> None:
        self._file, self.port = folder / "standing", free_port()
        self._log = folder / f"worker-{self.port}.log"
        self.state("canary")
        settings = {PORT: str(self.port), "ROLLOUT_STANDING_FILE": str(self._file), "ROLLOUT_RELEASE": NEW}
        self.process = start(addresses, QUICK | settings)

    def state(self, text: str) -> None:
        self._file.write_text(f"{text}\n")

    def logged(self, event: str) -> bool:
        return event in self._log.read_text()

    def messages_received(self, outcome: str) -> float:
        return metric(self.port, "upschedule_canary_messages_total", outcome=outcome) or 0


@pytest.fixture
def canary(start_worker: StartWorker, addresses: Addresses, tmp_path: Path) -> CanaryWorker:
    """A canary that is ready, beside one worker of the previous release."""
    port = free_port()
    start_worker(addresses, QUICK | {PORT: str(port), "ROLLOUT_RELEASE": OLD})
    worker = CanaryWorker(start_worker, addresses, tmp_path)
    await_ready(port)
    await_ready(worker.port)
    return worker


async def listeners(services: Services) -> int:
    return len(await services.redis_state.xinfo_consumers("jobs", "workers"))


async def listens(services: Services) -> bool:
    return await listeners(services) == 2


async def read_by_each(services: Services, documents: int) -> dict[str | None, int]:
    """Uploads documents one after the other and counts those that each release reads."""
    found: dict[str | None, int] = {}
    for _ in range(documents):
        account_id, job_id = await upload(services, "plain")
        final = await until_final(services, account_id, job_id)
        assert final.attempt == 1
        release = (await read(services, job_id)).provisional_release
        found[release] = found.get(release, 0) + 1
    return found


async def test_the_share_holds_and_ends_and_other_documents_do_not_wait(
    addresses: Addresses, canary: CanaryWorker
) -> None:
    async with opened(addresses, settings=QUICK) as services:
        assert await read_by_each(services, 3) == {OLD: 3}
        assert await listeners(services) == 1
        canary.state(f"canary 20 {FAR}")
        await until(partial(listens, services))
        found = await read_by_each(services, DOCUMENTS)
        # The canary's claims follow the share within two documents, since it counts finished documents at most half a
        # second late.
        assert found[NEW] == pytest.approx(0.2 * DOCUMENTS, abs=3)
        wait_until(lambda: canary.messages_received("claimed") == found[NEW])
        assert canary.messages_received("passed-on") > 0
        canary.state("canary")
        wait_until(lambda: canary.logged("canary_share_ends"))
        messages_received = canary.messages_received("passed-on")
        assert await read_by_each(services, 3) == {OLD: 3}
        assert canary.messages_received("passed-on") == messages_received


async def test_a_document_that_the_canary_passes_on_is_claimed_at_once(
    addresses: Addresses, canary: CanaryWorker
) -> None:
    """With this small share, it passes on all messages that it receives.

    No scheduler sends the wake-up message again.
    """
    async with opened(addresses, settings=QUICK) as services:
        canary.state(f"canary 0.001 {FAR}")
        wait_until(lambda: canary.logged("canary_share_begins"))
        for _ in range(20):
            assert await read_by_each(services, 1) == {OLD: 1}
        assert canary.messages_received("passed-on") > 0


async def test_a_canary_whose_release_is_promoted_reads_all_that_it_can(
    addresses: Addresses, start_worker: StartWorker, tmp_path: Path
) -> None:
    """This also holds without a worker of the previous release. Until then, the canary left those documents alone."""
    canary = CanaryWorker(start_worker, addresses, tmp_path)
    await asyncio.to_thread(await_ready, canary.port)
    async with opened(addresses, settings=QUICK) as services:
        canary.state(f"canary 0.001 {FAR}")
        wait_until(lambda: canary.logged("canary_share_begins"))
        job = await upload(services, "plain")
        began = time.monotonic()
        wait_until(lambda: canary.messages_received("passed-on") >= 10, timeout_seconds=60)
        # The canary receives its own message again. Its pauses grow, so that it does not loop at full speed.
        assert time.monotonic() - began > 1
        canary.state("live")
        assert (await until_final(services, *job)).attempt == 1


async def test_what_a_killed_canary_was_reading_is_read_by_another(
    addresses: Addresses, canary: CanaryWorker, start_scheduler: StartScheduler
) -> None:
    async with opened(addresses, settings=QUICK) as services:
        start_scheduler(addresses, QUICK | {"ROLLOUT_RELEASE": OLD})
        canary.state(f"canary 100 {FAR}")
        wait_until(lambda: canary.logged("canary_share_begins"))
        jobs = [await upload(services, "slow 2 20") for _ in range(4)]
        await until(partial(claimed_by_canary, services))
        canary.process.kill()
        for job in jobs:
            await until_final(services, *job)
            assert (await read(services, job[1])).provisional_release == OLD


async def claimed_by_canary(services: Services) -> bool:
    async with services.database.transaction() as connection:
        statement = "SELECT FROM jobs WHERE status = 'processing' AND run_release = %s"
        return bool(await (await connection.execute(statement.encode(), [NEW])).fetchall())
