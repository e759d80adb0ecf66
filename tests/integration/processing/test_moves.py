"""The schema permits exactly the transitions in `MOVES`."""

import itertools
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from upschedule.processing.job import MOVES, Status

_COLUMNS = {
    Status.QUEUED: "lease_until = NULL, finished_at = NULL, error = NULL",
    Status.PROCESSING: "lease_until = now(), finished_at = NULL, error = NULL",
    Status.COMPLETED: "lease_until = NULL, finished_at = now(), error = NULL",
    Status.FAILED: "lease_until = NULL, finished_at = now(), error = '{}'",
}
#: Permitted transitions from `queued` to each state.
_WAY = {
    Status.QUEUED: (),
    Status.PROCESSING: (Status.PROCESSING,),
    Status.COMPLETED: (Status.PROCESSING, Status.COMPLETED),
    Status.FAILED: (Status.PROCESSING, Status.FAILED),
}


def _move(connection: psycopg.Connection, target: Status) -> None:
    connection.execute(f"UPDATE jobs SET status = '{target}', {_COLUMNS[target]}".encode())


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_dsn) as connected:
        account = connected.execute("INSERT INTO accounts DEFAULT VALUES RETURNING id").fetchone()
        assert account is not None
        connected.execute(
            "INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes) VALUES (%s, %s, 'x', 'a.pdf', 1)",
            [uuid4(), account[0]],
        )
        yield connected


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(Status, 2)))
def test_postgresql_permits_a_move_if_and_only_if_it_is_listed(
    connection: psycopg.Connection, source: Status, target: Status
) -> None:
    for step in _WAY[source]:
        _move(connection, step)
    if (source, target) in {(move.source, move.target) for move in MOVES}:
        _move(connection, target)
    else:
        with pytest.raises(psycopg.errors.CheckViolation, match="may not move"):
            _move(connection, target)
    connection.rollback()


def test_postgresql_knows_the_same_states(connection: psycopg.Connection) -> None:
    row = connection.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'jobs_status_check'"
    ).fetchone()
    assert row is not None
    assert {part.split("'")[0] for part in row[0].split("'")[1::2]} == {str(status) for status in Status}


@pytest.mark.parametrize(
    "columns",
    ["status = 'processing'", "lease_until = now()", "finished_at = now()", "error = '{}'", "object_key = 'k'"],
)
def test_columns_that_contradict_the_state_are_refused(connection: psycopg.Connection, columns: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(f"UPDATE jobs SET {columns}".encode())
    connection.rollback()
