"""Queries of operators about the queue, its jobs and PostgreSQL. Answers are bounded and have no personal data."""

from typing import Any, LiteralString, TypeVar
from uuid import UUID

import msgspec

from upschedule.processing.job import Status
from upschedule.processing.operators.answers import (
    Action,
    DeadLetter,
    DeadLetters,
    Failure,
    JobLife,
    Leader,
    Letter,
    QueueCounts,
    QueuedJob,
    QueueListing,
    ReportedFile,
    ServiceStatus,
    Statement,
    StatementCost,
    Statements,
    User,
    Users,
    WorkerRelease,
    WrongRow,
    WrongRows,
)
from upschedule.processing.operators.errors import NoReportedFile, UnknownJob, UnknownReport
from upschedule.processing.queue import Queue, finishing_rate
from upschedule.processing.queue_metrics import count_queue
from upschedule.settings import Settings
from upschedule.stores.bucket import ObjectMissing
from upschedule.stores.database import Connection, Database
from upschedule.stores.objects import ObjectStore
from upschedule.stores.readiness import DependencyStatus

T = TypeVar("T")

_ACTIONS_SHOWN = 10
_STATEMENT_CHARACTERS = 500

_NOW = "SELECT now() AS asked_at, (SELECT paused_at FROM queue_pauses WHERE name = 'jobs') AS paused_at"
_LEADER = "SELECT term, held_until, held_until > now() AS held FROM leaderships WHERE name = 'scheduler'"
_RELEASES = "SELECT * FROM worker_releases ORDER BY renewed_at DESC LIMIT %(rows_max)s"
_FAILURES = """
    SELECT code, count(*) AS count, max(failed_at) AS last_at FROM dead_letters
    WHERE failed_at > now() - interval '1 hour' GROUP BY code ORDER BY count DESC LIMIT %(rows_max)s
"""
_ACTIONS = """
    SELECT done_at, action, operator, address, reason, job_id, account_id FROM operator_actions
    WHERE %(job_id)s::uuid IS NULL OR job_id = %(job_id)s ORDER BY done_at DESC, id DESC LIMIT %(rows_max)s
"""
_EXEMPT = "SELECT account_id FROM exempt_accounts ORDER BY exempted_at DESC LIMIT %(rows_max)s"
_LIFE = """
    SELECT *, left(encode(address_hash, 'hex'), 12) AS address, object_key IS NOT NULL AS file_stored,
           jsonb_array_length(warnings) AS warning_count
    FROM jobs WHERE id = %(job_id)s
"""
_LETTERS = "SELECT * FROM dead_letters WHERE job_id = %(job_id)s ORDER BY failed_at DESC LIMIT %(rows_max)s"
_LISTED = """
    SELECT id, account_id, left(encode(address_hash, 'hex'), 12) AS address, status, attempt, slow,
           provisional_release IS NOT NULL AS read_again, size_bytes, created_at, run_after, started_at
    FROM jobs WHERE status = 'processing' OR (status = 'queued' AND id = ANY(%(queued)s))
    ORDER BY status = 'queued', started_at LIMIT %(rows_max)s
"""
_COUNTED = "SELECT count(*) AS jobs FROM jobs WHERE status IN ('queued', 'processing')"
_ACCOUNTS = """
    WITH waiting AS (
        SELECT account_id, count(*) FILTER (WHERE status = 'queued') AS queued,
               count(*) FILTER (WHERE status = 'processing') AS processing, count(*) FILTER (WHERE slow) AS slow
        FROM jobs WHERE status IN ('queued', 'processing') GROUP BY account_id
    )
    SELECT account_id::text AS id, coalesce(queued, 0) AS queued, coalesce(processing, 0) AS processing,
           coalesce(slow, 0) AS slow, share_used(used_seconds, used_at, %(half_life_seconds)s) AS used_seconds
    FROM waiting FULL JOIN visitor_shares USING (account_id)
    ORDER BY coalesce(queued, 0) + coalesce(processing, 0) DESC, used_seconds DESC LIMIT %(rows_max)s
"""
_ADDRESSES = """
    WITH waiting AS (
        SELECT address_hash, count(*) FILTER (WHERE status = 'queued') AS queued,
               count(*) FILTER (WHERE status = 'processing') AS processing, count(*) FILTER (WHERE slow) AS slow
        FROM jobs WHERE status IN ('queued', 'processing') AND address_hash IS NOT NULL GROUP BY address_hash
    )
    SELECT left(encode(address_hash, 'hex'), 12) AS id, coalesce(queued, 0) AS queued,
           coalesce(processing, 0) AS processing, coalesce(slow, 0) AS slow,
           share_used(used_seconds, used_at, %(half_life_seconds)s) AS used_seconds
    FROM waiting FULL JOIN address_shares USING (address_hash)
    ORDER BY coalesce(queued, 0) + coalesce(processing, 0) DESC, used_seconds DESC LIMIT %(rows_max)s
"""
_DEAD = """
    SELECT job_id, status, attempt, code, detail, failed_at, status = 'failed' AND object_key IS NOT NULL
               AND NOT ((error ->> 'in_file')::boolean AND reader_version = %(reader_version)s) AS can_retry
    FROM (
        SELECT job_id, attempt, code, detail, failed_at FROM dead_letters ORDER BY failed_at DESC LIMIT %(rows_max)s
    ) AS letters JOIN (SELECT id AS job_id, status, object_key, error, reader_version FROM jobs) AS job USING (job_id)
    ORDER BY failed_at DESC
"""
# Where the file was deleted since, there is none to have.
_WRONG_ROWS = """
    SELECT report.id, report.created_at, job_id, report.reader_version, event, remark,
           CASE WHEN object_key IS NOT NULL AND file_until > now() THEN file_until END AS file_until
    FROM row_reports AS report LEFT JOIN jobs ON jobs.id = job_id
    ORDER BY report.created_at DESC LIMIT %(rows_max)s
"""
_COUNT_WRONG_ROWS = "SELECT count(*) AS rows FROM row_reports"
_REPORTED_FILE = """
    SELECT CASE WHEN file_until > now() THEN object_key END AS object_key
    FROM row_reports LEFT JOIN jobs ON jobs.id = job_id WHERE row_reports.id = %(report_id)s
"""
_COUNT_DEAD = "SELECT count(*) AS letters FROM dead_letters"
_READABLE = "SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS readable"
# Of the transactions, not only of the statements: one that is open and idle can hold locks as well. Parameters are not
# in the text; the quoted texts of statements that were typed by hand are removed.
_RUNNING = """
    SELECT pid, usename AS role, nullif(application_name, '') AS program, state,
           wait_event_type || ': ' || wait_event AS waits_for,
           extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_seconds,
           CASE WHEN state = 'active'
               THEN extract(epoch FROM clock_timestamp() - query_start)::float8 END AS statement_seconds,
           pg_blocking_pids(pid) AS blocked_by,
           left(regexp_replace(regexp_replace(query, '''[^'']*''', '''…''', 'g'), '\\s+', ' ', 'g'), %(characters)s)
               AS text
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND (xact_start IS NOT NULL OR state IS NULL)
    ORDER BY xact_start NULLS LAST LIMIT %(rows_max)s
"""
_HAS_COSTS = "SELECT to_regclass('pg_stat_statements') IS NOT NULL AS present"
_COSTS = """
    SELECT calls, mean_exec_time AS mean_milliseconds, max_exec_time AS max_milliseconds,
           total_exec_time / 1000 AS total_seconds,
           left(regexp_replace(regexp_replace(query, '''[^'']*''', '''…''', 'g'), '\\s+', ' ', 'g'), %(characters)s)
               AS text
    FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY total_exec_time DESC LIMIT %(rows_max)s
"""


class OperatorQuestions:
    """Any scheduler may use it, not only the leader. Every method raises StoreError while PostgreSQL is unavailable."""

    def __init__(
        self, database: Database, queue: Queue, objects: ObjectStore, *, settings: Settings, reader_version: str
    ) -> None:
        self._database = database
        self._objects = objects
        self._queue = queue
        self._settings = settings
        self._reader_version = reader_version

    async def status(self, dependencies: list[DependencyStatus]) -> ServiceStatus:
        """`dependencies` are those of the process that answers."""
        bound = {"rows_max": self._settings.scheduler.operator_rows_max}
        async with self._database.transaction() as connection:
            now = (await _rows(connection, _NOW))[0]
            counts = await count_queue(connection)
            rate = await finishing_rate(connection, self._settings.jobs)
            leaders = await _found(connection, Leader, _LEADER)
            return ServiceStatus(
                asked_at=now["asked_at"],
                paused_at=now["paused_at"],
                queue=QueueCounts(
                    due=counts["due"],
                    delayed=counts["delayed"],
                    read_again=counts["read-again"],
                    processing=counts["processing"],
                    oldest_seconds=max(0.0, counts["age"]),
                    finished_per_minute=rate,
                ),
                leader=leaders[0] if leaders else None,
                dependencies=tuple(dependencies),
                releases=await _found(connection, WorkerRelease, _RELEASES, bound),
                failures=await _found(connection, Failure, _FAILURES, bound),
                actions=await _found(connection, Action, _ACTIONS, {"job_id": None, "rows_max": _ACTIONS_SHOWN}),
                exempt=tuple(row["account_id"] for row in await _rows(connection, _EXEMPT, bound)),
            )

    async def life(self, job_id: UUID) -> JobLife:
        """Raises UnknownJob."""
        bound = {"job_id": job_id, "rows_max": self._settings.scheduler.operator_rows_max}
        async with self._database.transaction() as connection:
            rows = await _rows(connection, _LIFE, {"job_id": job_id})
            if not rows:
                raise UnknownJob
            letters = await _found(connection, Letter, _LETTERS, bound)
            actions = await _found(connection, Action, _ACTIONS, bound)
        row = rows[0]
        position = await self._queue.position(job_id) if row["status"] == Status.QUEUED else None
        more = {"position": position, "letters": letters, "actions": actions, "warnings": row["warning_count"]}
        return msgspec.convert(row | more, JobLife)

    async def queue(self) -> QueueListing:
        """The jobs in the queue, up to the number that one answer may have."""
        rows_max = self._settings.scheduler.operator_rows_max
        positions = await self._queue.positions()
        first = sorted(positions, key=positions.__getitem__)[:rows_max]
        async with self._database.transaction() as connection:
            now = (await _rows(connection, _NOW))[0]
            rows = await _rows(connection, _LISTED, {"queued": first, "rows_max": rows_max})
            total = (await _rows(connection, _COUNTED))[0]["jobs"]
        places = {id_: place for id_, place in positions.items() if id_ in set(first)}
        jobs = [
            msgspec.convert(
                row | {"position": places.get(row["id"]) if row["status"] == Status.QUEUED else None}, QueuedJob
            )
            for row in rows
        ]
        jobs.sort(key=lambda job: (job.status != Status.PROCESSING, job.position or 0))
        return QueueListing(paused_at=now["paused_at"], jobs=tuple(jobs), left_out=max(0, total - len(jobs)))

    async def users(self) -> Users:
        """Accounts and addresses with most jobs first, then those that have used most processor time."""
        values = {
            "half_life_seconds": self._settings.jobs.share_half_life_seconds,
            "rows_max": self._settings.scheduler.operator_rows_max,
        }
        async with self._database.transaction() as connection:
            return Users(
                accounts=await _found(connection, User, _ACCOUNTS, values),
                addresses=await _found(connection, User, _ADDRESSES, values),
            )

    async def dead_letters(self) -> DeadLetters:
        """The newest ones."""
        values = {"rows_max": self._settings.scheduler.operator_rows_max, "reader_version": self._reader_version}
        async with self._database.transaction() as connection:
            letters = await _found(connection, DeadLetter, _DEAD, values)
            total = (await _rows(connection, _COUNT_DEAD))[0]["letters"]
        return DeadLetters(letters=letters, left_out=max(0, total - len(letters)))

    async def wrong_rows(self) -> WrongRows:
        """What students reported, the newest first."""
        values = {"rows_max": self._settings.scheduler.operator_rows_max}
        async with self._database.transaction() as connection:
            rows = await _found(connection, WrongRow, _WRONG_ROWS, values)
            total = (await _rows(connection, _COUNT_WRONG_ROWS))[0]["rows"]
        return WrongRows(rows=rows, left_out=max(0, total - len(rows)))

    async def reported_file(self, report_id: UUID) -> ReportedFile:
        """Raises UnknownReport, NoReportedFile."""
        async with self._database.transaction() as connection:
            found = await _rows(connection, _REPORTED_FILE, {"report_id": report_id})
        if not found:
            raise UnknownReport
        if found[0]["object_key"] is None:
            raise NoReportedFile
        try:
            size_bytes_max = self._settings.uploads.size_bytes_max
            return ReportedFile(pdf=await self._objects.get(found[0]["object_key"], size_bytes_max=size_bytes_max))
        except ObjectMissing as error:
            raise NoReportedFile from error

    async def statements(self) -> Statements:
        """The running statements of PostgreSQL, and the most expensive kinds."""
        values = {
            "rows_max": self._settings.scheduler.operator_rows_max,
            "characters": _STATEMENT_CHARACTERS,
        }
        async with self._database.transaction() as connection:
            readable = (await _rows(connection, _READABLE))[0]["readable"]
            running = await _found(connection, Statement, _RUNNING, values)
            has_costs = (await _rows(connection, _HAS_COSTS))[0]["present"]
            costs = await _found(connection, StatementCost, _COSTS, values) if has_costs else None
        return Statements(readable=readable, running=running, costs=costs)


async def _rows(
    connection: Connection, statement: LiteralString, values: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    return await (await connection.execute(statement, values)).fetchall()


async def _found(
    connection: Connection, kind: type[T], statement: LiteralString, values: dict[str, Any] | None = None
) -> tuple[T, ...]:
    return msgspec.convert(tuple(await _rows(connection, statement, values)), tuple[kind, ...])
