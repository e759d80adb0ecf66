"""The store of the backups is slow: a command succeeds late, or ends at its limit and says so (R9.1, R9.3, R9.5).

The test's proxy delays what goes to the store and comes from it. PostgreSQL archives past the proxy.
"""

import asyncio
from collections.abc import Iterator
from subprocess import Popen

import pytest

from tests.support.cluster.tooling.backup_site import running_site
from tests.support.cluster.tooling.restoring import RestoreSite
from tests.support.fault_proxy import FaultProxy
from tests.support.servers import wait_until
from upschedule.operations.cluster_backup.model import Record

pytestmark = pytest.mark.timeout(400)
PEOPLE = "SELECT email FROM accounts WHERE email IS NOT NULL ORDER BY email"
#: Each piece in each direction. A backup takes several thousand pieces, a restore too.
SLOW_SECONDS, TOO_SLOW_SECONDS = 0.001, 5.0
LIMIT = ("--program-seconds", "60")
ENDED_SECONDS = 300


@pytest.fixture(scope="module")
def site() -> Iterator[RestoreSite]:
    with running_site() as running:
        yield RestoreSite(running)


@pytest.fixture(scope="module")
def record(site: RestoreSite) -> Record:
    site.account("first")
    return site.site.backups.back_up()


def through(proxy: FaultProxy) -> dict[str, str]:
    """Variables of a command whose repository is behind the proxy."""
    return {"PGBACKREST_REPO1_STORAGE_PORT": str(proxy.port)}


async def ended(process: "Popen[str]") -> tuple[int, str]:
    _, errors = await asyncio.to_thread(process.communicate, timeout=ENDED_SECONDS)
    return process.returncode, errors


@pytest.mark.long
async def test_a_slow_store_delays_a_backup_that_counts(site: RestoreSite, record: Record) -> None:
    async with FaultProxy(site.site.store.secure_port) as proxy:
        proxy.delay(SLOW_SECONDS)
        with site.site.started("now", environment=through(proxy)) as process:
            code, errors = await ended(process)
        passed = proxy.accepted
    newest, known = site.site.backups.list()[-1]

    assert code == 0, errors
    assert passed > 0
    assert newest.label > record.backup.label
    assert known
    assert known.verified


@pytest.mark.long
async def test_a_store_that_becomes_too_slow_ends_the_backup(site: RestoreSite, record: Record) -> None:
    """The message names the program and its limit. Nothing of it counts, and the next backup does."""
    before = [backup.label for backup, known in site.site.backups.list() if known and known.verified]
    async with FaultProxy(site.site.store.secure_port) as proxy:
        with site.site.started("now", *LIMIT, environment=through(proxy)) as process:
            await asyncio.to_thread(wait_until, site.site.is_backing_up, timeout_seconds=120)
            proxy.delay(TOO_SLOW_SECONDS)
            code, errors = await ended(process)
    wait_until(lambda: not site.site.is_backing_up(), timeout_seconds=60)

    assert code == 3, errors
    assert "pgbackrest backup failed: took longer than 60 s" in errors
    assert [backup.label for backup, known in site.site.backups.list() if known and known.verified] == before
    assert site.site.backups.back_up().verified


@pytest.mark.parametrize(
    "stage", ["Restoring from", pytest.param("Recovering the write-ahead log", marks=pytest.mark.long)]
)
async def test_a_store_that_becomes_too_slow_ends_a_restore_that_has_changed_nothing(
    site: RestoreSite, record: Record, stage: str
) -> None:
    """The message says so, no file is left beside the data, and PostgreSQL starts with them."""
    people = site.rows(PEOPLE)
    site.site.postgres.stop()
    async with FaultProxy(site.site.store.secure_port) as proxy:
        with site.started("--to", "latest", "--replace", *LIMIT, environment=through(proxy)) as process:
            await asyncio.to_thread(reached, process, stage)
            proxy.delay(TOO_SLOW_SECONDS)
            code, errors = await ended(process)
    beside = {each.name for each in site.data.parent.glob("data*")}
    # Not in another thread: the server ends with the thread that started it.
    site.site.postgres.start(timeout_seconds=120)

    assert code == 3, errors
    assert errors.endswith("Nothing was changed.\n")
    assert (beside, site.rows(PEOPLE)) == ({"data"}, people)


def reached(process: "Popen[str]", stage: str) -> None:
    """Reads what the command prints until it begins this stage."""
    assert process.stderr
    assert next((line for line in process.stderr if stage in line), "")
