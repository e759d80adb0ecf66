"""Schedulers export the state of the backups from the records that the backup writes (R9.5)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg

from tests.integration.conftest import StartScheduler
from tests.support.processes.health_pages import await_alive, get, metric
from tests.support.servers import Database, wait_until
from tests.support.services import Addresses
from upschedule.operations.cluster_backup.errors import NotVerified, StepFailed
from upschedule.operations.cluster_backup.model import BackupSet, Verification
from upschedule.operations.cluster_backup.runs import Runs
from upschedule.operations.embedded.ports import free_port

BEGAN = datetime(2026, 11, 30, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OUTCOMES = ("running", "verified", "not verified", "failed", "killed", "none")


def backup(label: str, began: datetime) -> BackupSet:
    return BackupSet(
        label=label,
        started_at=began,
        finished_at=began + timedelta(seconds=40),
        size_bytes=5_000_000,
        stored_bytes=700_000,
    )


def verification(began: datetime, *problems: str) -> Verification:
    return Verification(finished_at=began + timedelta(seconds=90), seconds=50.0, problems=problems)


async def test_every_scheduler_shows_the_newest_backup_that_counts(
    addresses: Addresses, start_scheduler: StartScheduler, database: Database
) -> None:
    """This holds at each stage of a run, and after its process has ended.

    A failed run hides no earlier backup (R9.5).
    """
    ports = [free_port(), free_port()]
    for port in ports:
        start_scheduler(addresses, {"SCHEDULER_PORT": str(port)})
        await asyncio.to_thread(await_alive, port)

    def exported(name: str, **labels: str) -> float | None:
        (value,) = {metric(port, f"upschedule_backup_{name}", **labels) for port in ports}
        return value

    def last_run() -> dict[str, float]:
        found = {outcome: exported("run_time_seconds", outcome=outcome) for outcome in OUTCOMES}
        return {outcome: began for outcome, began in found.items() if began is not None}

    runs = Runs(dsn=database.backup_dsn)
    assert "\nupschedule_backup_" not in (await asyncio.to_thread(get, ports[0], "/metrics"))[1]

    first = runs.begin(BEGAN)
    runs.made(first, backup("first", BEGAN))
    assert last_run() == {"running": BEGAN.timestamp()}
    assert exported("time_seconds", state="verified") is None
    runs.verified("first", verification(BEGAN))
    runs.end(first, BEGAN + timedelta(minutes=2))
    finished_at = (BEGAN + timedelta(seconds=40)).timestamp()
    assert last_run() == {"verified": BEGAN.timestamp()}
    assert exported("time_seconds", state="verified") == finished_at
    assert [exported("duration_seconds", part=part) for part in ("backup", "verification")] == [40, 50]
    assert [exported("size_bytes", of=of) for of in ("database", "repository")] == [5_000_000, 700_000]

    second = runs.begin(BEGAN + DAY)
    runs.end(second, BEGAN + DAY, StepFailed("pgbackrest backup", "the store is away"))
    assert last_run() == {"failed": (BEGAN + DAY).timestamp()}
    runs.begin(BEGAN + 2 * DAY)
    execute(database, "UPDATE backup_runs SET alive_until = now() - interval '1 second' WHERE ended_at IS NULL")
    assert last_run() == {"killed": (BEGAN + 2 * DAY).timestamp()}
    third = runs.begin(BEGAN + 2 * DAY)
    runs.made(third, backup("third", BEGAN + 2 * DAY))
    runs.verified("third", verification(BEGAN + 2 * DAY, "the table jobs is missing"))
    runs.end(third, BEGAN + 2 * DAY, NotVerified("third", ("the table jobs is missing",)))
    assert last_run() == {"not verified": (BEGAN + 2 * DAY).timestamp()}
    assert exported("time_seconds", state="verified") == finished_at


def test_a_run_that_goes_on_shows_it(database: Database) -> None:
    """Its steps are programs that take minutes. After the run has ended, the time is no longer updated."""
    runs = Runs(dsn=database.backup_dsn, alive_seconds=0.05)
    run = runs.begin(BEGAN)
    with runs.kept_alive(run):
        first = alive_until(database)
        wait_until(lambda: alive_until(database) > first)
        runs.end(run, BEGAN)
        last = alive_until(database)
    assert alive_until(database) == last


def alive_until(database: Database) -> datetime:
    with psycopg.connect(database.owner_dsn) as connection:
        ((until,),) = connection.execute("SELECT alive_until FROM backup_runs").fetchall()
    return until


def execute(database: Database, statement: LiteralString) -> None:
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute(statement)


def test_a_backup_that_turns_out_bad_counts_no_more_until_it_is_verified(database: Database) -> None:
    """`upschedule backup verify` is not a run of its own.

    A run that failed after its verification is recorded as failed.
    """
    runs = Runs(dsn=database.backup_dsn)
    run = runs.begin(BEGAN)
    runs.made(run, backup("one", BEGAN))
    runs.verified("one", verification(BEGAN))
    runs.end(run, BEGAN, StepFailed("Removing hidden versions", "x" * 2000))
    assert rows(database) == [("failed", True, 1000)]
    runs.verified("one", verification(BEGAN, "it cannot be restored: a file is damaged"))
    assert rows(database) == [("not verified", False, 40)]
    runs.verified("one", verification(BEGAN))
    assert rows(database) == [("verified", True, None)]
    runs.verified("another", verification(BEGAN, "it is not known"))
    assert rows(database) == [("verified", True, None)]


def test_a_backup_goes_on_where_its_run_cannot_be_recorded(database: Database) -> None:
    """A missing row raises an alert because of its age, while a missing backup is lost data."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("ALTER TABLE backup_runs RENAME TO other_runs")
    runs = Runs(dsn=database.backup_dsn)
    run = runs.begin(BEGAN)
    runs.made(run, backup("one", BEGAN))
    runs.verified("one", verification(BEGAN))
    runs.end(run, BEGAN)

    assert run is None


def rows(database: Database) -> list[tuple[str, bool, int | None]]:
    """The outcome, whether the backup counts, and the length of the reason."""
    with psycopg.connect(database.owner_dsn) as connection:
        return connection.execute(
            "SELECT outcome, verified_at IS NOT NULL, length(reason) FROM backup_runs ORDER BY id"
        ).fetchall()


async def test_every_scheduler_shows_how_restore_drills_ended(
    addresses: Addresses, start_scheduler: StartScheduler, database: Database
) -> None:
    """The age of the newest that passed, or of the first backup while none has; and whether the last one failed."""
    port = free_port()
    start_scheduler(addresses, {"SCHEDULER_PORT": str(port)})
    await asyncio.to_thread(await_alive, port)

    def exported() -> dict[str, float]:
        name = "upschedule_restore_drill_time_seconds"
        found = {outcome: metric(port, name, outcome=outcome) for outcome in ("passed", "failed", "none")}
        return {outcome: began for outcome, began in found.items() if began is not None}

    def drill(began: datetime, outcome: str) -> None:
        with psycopg.connect(database.backup_dsn) as connection:
            values = (began, outcome)
            connection.execute("INSERT INTO restore_drills (began_at, outcome) VALUES (%s, %s)", values)

    assert exported() == {}
    runs = Runs(dsn=database.backup_dsn)
    runs.made(runs.begin(BEGAN), backup("first", BEGAN))
    runs.verified("first", verification(BEGAN))
    made = (BEGAN + timedelta(seconds=40)).timestamp()
    assert exported() == {"none": made}
    drill(BEGAN, "failed")
    assert exported() == {"none": made, "failed": BEGAN.timestamp()}
    drill(BEGAN + DAY, "passed")
    assert exported() == {"passed": (BEGAN + DAY).timestamp()}
    drill(datetime.now(tz=UTC), "running")
    assert exported() == {"passed": (BEGAN + DAY).timestamp()}
    killed = datetime.now(tz=UTC) - timedelta(hours=7)
    drill(killed, "running")
    assert exported() == {"passed": (BEGAN + DAY).timestamp(), "failed": killed.timestamp()}
