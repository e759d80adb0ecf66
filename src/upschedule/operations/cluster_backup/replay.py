"""What people deleted or ended after the moment to which a database is restored (decision 42)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from psycopg import sql

_CONNECT_SECONDS = 10
_NOTES = "SELECT id, kind, row_id FROM deletions"
_ENDED_SESSIONS = "SELECT id_hash, ended_at FROM sessions WHERE ended_at IS NOT NULL"
_FEEDS = "SELECT id, token_hash, token_generation, feed_open FROM calendars"
#: By the table, in this order: an account takes its documents and calendars with it. With the column of `row_id`.
_KEYS = {"calendar_shares": "nonce", "calendars": "id", "jobs": "id", "accounts": "id"}
_DELETE = """
    DELETE FROM {table} WHERE {key} IN (
        SELECT row_id FROM later_notes AS note
        WHERE kind = {kind} AND NOT EXISTS (SELECT FROM deletions AS known WHERE known.id = note.id)
    )
"""
# A deleted document gives its bytes back.
_REFUND = """
    WITH freed AS (
        SELECT account_id, sum(size_bytes) AS size_bytes FROM jobs
        WHERE object_key IS NOT NULL AND id IN (
            SELECT row_id FROM later_notes AS note
            WHERE kind = 'jobs' AND NOT EXISTS (SELECT FROM deletions AS known WHERE known.id = note.id)
        )
        GROUP BY account_id
    )
    UPDATE accounts SET stored_bytes = stored_bytes - freed.size_bytes FROM freed WHERE accounts.id = freed.account_id
"""
_END_SESSIONS = """
    UPDATE sessions SET ended_at = later.ended_at FROM later_sessions AS later
    WHERE sessions.id_hash = later.id_hash AND sessions.ended_at IS NULL
"""
_REPLACE_FEEDS = """
    UPDATE calendars SET token_hash = later.token_hash, token_generation = later.token_generation,
        feed_open = later.feed_open
    FROM later_feeds AS later
    WHERE calendars.id = later.id AND (later.token_generation > calendars.token_generation
        OR later.token_generation = calendars.token_generation AND calendars.feed_open AND NOT later.feed_open)
"""
# Kept, so that another restore to an earlier moment finds them.
_KEEP_NOTES = """
    INSERT INTO deletions (id, kind, row_id) OVERRIDING SYSTEM VALUE SELECT id, kind, row_id FROM later_notes
    ON CONFLICT (id) DO NOTHING
"""
_OWNER = "SELECT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename = 'deletions'"
_NEXT_NUMBER = """
    SELECT setval(pg_get_serial_sequence('deletions', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM deletions), false)
"""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How much was deleted or ended again."""

    accounts: int = 0
    documents: int = 0
    calendars: int = 0
    shares: int = 0
    sessions: int = 0
    feeds: int = 0

    def __str__(self) -> str:
        return (
            f"{self.accounts} accounts, {self.documents} documents, {self.calendars} calendars, {self.shares} shared "
            f"pages, {self.sessions} sessions and {self.feeds} feed links"
        )


@dataclass(frozen=True, kw_only=True)
class LaterState:
    """Keys without contents, as the newest second of the archive has them."""

    rows: Mapping[str, Sequence[tuple[Any, ...]]]


_TEMPORARY = {
    "later_notes": "id bigint, kind text, row_id uuid",
    "later_sessions": "id_hash bytea, ended_at timestamptz",
    "later_feeds": "id uuid, token_hash bytea, token_generation integer, feed_open boolean",
}


def read_later_state(dsn: str) -> LaterState:
    """Raises psycopg.Error, also for a database from before deletions were noted."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        return LaterState(
            rows={
                "later_notes": connection.execute(_NOTES).fetchall(),
                "later_sessions": connection.execute(_ENDED_SESSIONS).fetchall(),
                "later_feeds": connection.execute(_FEEDS).fetchall(),
            }
        )


def replay(dsn: str, later: LaterState) -> Replayed:
    """Repeats later deletions in one transaction, as the superuser of the restored server. Raises psycopg.Error."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        row = connection.execute(_OWNER).fetchone()
        # What the owner deletes is not noted: these rows have their notes.
        owner = sql.SQL("SET LOCAL SESSION AUTHORIZATION {}").format(sql.Identifier(row[0] if row else ""))
        connection.execute(owner)
        for table, columns in _TEMPORARY.items():
            create = sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP")
            # The texts are this module's own.
            definition = sql.SQL(columns)  # pyright: ignore[reportArgumentType] - a declared constant, not a literal
            connection.execute(create.format(sql.Identifier(table), definition))
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                for row in later.rows[table]:
                    copy.write_row(row)
        connection.execute(_REFUND)
        deleted = {table: _delete(connection, table, key) for table, key in _KEYS.items()}
        sessions = connection.execute(_END_SESSIONS).rowcount
        feeds = connection.execute(_REPLACE_FEEDS).rowcount
        connection.execute(_KEEP_NOTES)
        connection.execute(_NEXT_NUMBER)
    return Replayed(
        accounts=deleted["accounts"],
        documents=deleted["jobs"],
        calendars=deleted["calendars"],
        shares=deleted["calendar_shares"],
        sessions=sessions,
        feeds=feeds,
    )


def _delete(connection: psycopg.Connection, table: str, key: str) -> int:
    words = {"table": sql.Identifier(table), "key": sql.Identifier(key), "kind": sql.Literal(table)}
    return connection.execute(sql.SQL(_DELETE).format(**words)).rowcount
