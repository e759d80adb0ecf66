"""The most frequent queries use indexes."""

from typing import Any

import psycopg
import pytest

from tests.support.services import Addresses, opened
from upschedule.processing import provisional, queue, retention, sweeper
from upschedule.processing.repository import JobRepository
from upschedule.processing.runs import RunRepository
from upschedule.processing.shares import ShareRepository
from upschedule.services import Services

_JOB = {"job_id": "00000000-0000-0000-0000-000000000001", "account_id": "00000000-0000-0000-0000-000000000002"}
_SHARES = {"quick_seconds": 0.5, "slow_seconds": 10, "half_life_seconds": 600, "yield_seconds": 60}
_LEFT = {"release": "1", "without_file": False, "silent_seconds": 30, "rows_max": 200}
_ACCOUNTS = "INSERT INTO accounts (id) VALUES (%(account_id)s) ON CONFLICT DO NOTHING"
_MORE_ACCOUNTS = "INSERT INTO accounts SELECT FROM generate_series(1, 50)"
# The table contains a full queue: 500 jobs wait, and the rest have finished.
_FILL = """
    INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes, status, finished_at, started_at)
    SELECT gen_random_uuid(), id, sha256(number::text::bytea), 'a.pdf', 1,
           CASE WHEN number <= 10 THEN 'queued' ELSE 'completed' END,
           CASE WHEN number > 10 THEN now() - number * interval '1 minute' END, now() - number * interval '1 minute'
    FROM accounts, generate_series(1, 200) AS number
"""


async def plan_of(services: Services, statement: Any, values: dict[str, Any]) -> str:
    async with services.database.transaction() as connection:
        cursor = await connection.execute("EXPLAIN " + statement, values)
        return "\n".join(row["QUERY PLAN"] for row in await cursor.fetchall())


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (JobRepository._GET, _JOB, "jobs_pkey"),
        (JobRepository._GET_OWNED, _JOB, "jobs_pkey"),
        (JobRepository._SAME_BYTES, _JOB | {"sha256": b"x"}, "jobs_account_sha256_key"),
        (
            JobRepository._RECENT,
            _JOB | {"created_at": "2026-01-01T00:00:00Z", "limit": 20},
            "jobs_account_created_idx",
        ),
        (JobRepository._COUNT_QUEUED, _JOB | {"address_hash": b"x"}, "jobs_queued_idx"),
        (JobRepository._COUNT_QUEUED, _JOB | {"address_hash": b"x"}, "jobs_completed_idx"),
        (ShareRepository._FAIREST, _SHARES | {"with_slow": True}, "jobs_queued_idx"),
        (RunRepository._CLAIM, _JOB | {"lease_seconds": 10, "release": "1"}, "Index Scan using jobs_"),
        (queue._QUEUED, _SHARES | {"rows_max": 5000}, "jobs_queued_idx"),
        (queue._DEMOTED, {"window_seconds": 60, "runs_max": 1000}, "jobs_demoted_idx"),
        (retention._OLD_ADDRESSES[0], {"keep_seconds": 86400, "rows_max": 500}, "jobs_address_noted_idx"),
        (queue._FINISHED, {"window_seconds": 60, "runs_max": 1000}, "jobs_finished_idx"),
        (sweeper._EXPIRED, {"rows_max": 200}, "jobs_lease_idx"),
        (sweeper._RING_AGAIN, {"rows_max": 200, "ring_again_seconds": 10}, "jobs_queued_idx"),
        (provisional._ABANDONED, _LEFT, "jobs_provisional_idx"),
        (provisional._CONFIRM, _LEFT, "jobs_provisional_idx"),
        (provisional._READING_AGAIN, {}, "Index Scan using jobs_"),
    ],
    ids=[
        "status",
        "owned",
        "same bytes",
        "list",
        "length",
        "history",
        "fairest",
        "claim",
        "positions",
        "demoted",
        "addresses",
        "rate",
        "expired",
        "due",
        "left",
        "confirmed",
        "read again",
    ],
)
async def test_hot_queries_use_their_index(
    addresses: Addresses, postgres_owner_dsn: str, statement: str, values: dict[str, Any], index: str
) -> None:
    """R3.4 requires indexes for these queries."""
    async with opened(addresses) as services:
        with psycopg.connect(postgres_owner_dsn, autocommit=True) as owner:
            owner.execute(_ACCOUNTS, _JOB)
            owner.execute(_MORE_ACCOUNTS)
            owner.execute(_FILL)
            owner.execute("ANALYZE jobs")
        plan = await plan_of(services, statement, values)
    assert index in plan
    assert "Seq Scan on jobs" not in plan
